#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "elements/inference/engine.hpp"
#include "elements/tvclassify/classify.hpp"
#include "elements/tvclassify/frame.hpp"
#include "model_registry/registry/registry.hpp"
#include "tools/tvmodels/arguments.hpp"
#include "tools/tvmodels/choose.hpp"
#include "tools/tvmodels/decoder.hpp"
#include "tools/tvmodels/interrupt.hpp"
#include "tools/tvmodels/output.hpp"

namespace tv::cli {
namespace {

constexpr char kDefaultWeights[] = "ResNet50_Weights.DEFAULT";

constexpr Option kOptions[] = {
    {"weights", "NAME", "the entry (default: ResNet50_Weights.DEFAULT)"},
    {"weights-file", "FILE", "a local state dict for the entry's architecture and categories"},
    {"top-k", "K", "how many categories a picture gets (default: 1)"},
    {"every", "N", "of a video only every N-th frame (default: 1)"},
    {"json", nullptr,
     "one JSON object a line: file, frame, timestamp, weights, device, precision, results"},
    kDeviceOption,
    kPrecisionOption,
    kOfflineOption,
};

// How results are written.
struct Style {
  bool json = false;
  int top_k = 1;
  int every = 1;
};

// A model and how it is used.
struct Session {
  const Weights& weights;
  Place place;
  Flow flow;
  Style style;
};

std::string label_of(const Weights& weights, int index) {
  const auto at = static_cast<std::size_t>(index);
  return at < weights.categories.size() ? std::string(weights.categories[at])
                                        : "class " + std::to_string(index);
}

// "0:01:02.345"
std::string clock_text(GstClockTime time) {
  char text[48];
  std::snprintf(text, sizeof text, "%u:%02u:%02u.%03u",
                static_cast<unsigned>(time / (3600 * GST_SECOND)),
                static_cast<unsigned>(time / (60 * GST_SECOND) % 60),
                static_cast<unsigned>(time / GST_SECOND % 60),
                static_cast<unsigned>(time / GST_MSECOND % 1000));
  return text;
}

struct Line {
  std::uint64_t frame = 0;
  std::optional<GstClockTime> time;
  std::vector<inference::Score> scores;
};

void print_text(const std::string& path, const Line& line, const Session& session, bool video) {
  std::string text = printable(path);
  if (video)
    text += "\t" + (line.time ? clock_text(*line.time) : "frame " + std::to_string(line.frame));
  for (const inference::Score& score : line.scores) {
    char number[16];
    std::snprintf(number, sizeof number, " %.4f", static_cast<double>(score.probability));
    text += "\t" + printable(label_of(session.weights, score.index)) + number;
  }
  print(text);
}

void print_object(const std::string& path, const Line& line, const Session& session, bool video) {
  nlohmann::ordered_json results = nlohmann::ordered_json::array();
  for (const inference::Score& score : line.scores)
    results.push_back({{"index", score.index},
                       {"label", label_of(session.weights, score.index)},
                       {"score", score.probability}});
  nlohmann::ordered_json timestamp = nullptr;  // seconds
  if (video && line.time)
    timestamp = static_cast<double>(*line.time) / static_cast<double>(GST_SECOND);
  print_json(
      {{"file", path},
       {"frame", video ? nlohmann::ordered_json(line.frame) : nlohmann::ordered_json(nullptr)},
       {"timestamp", std::move(timestamp)},
       {"weights", session.weights.name()},
       {"device", session.place.device},
       {"precision", session.place.precision},
       {"results", std::move(results)}},
      -1);
}

// Writes each line at once, so that a pipe sees it in time.
Status print_line(const std::string& path, const Line& line, const Session& session, bool video) {
  (session.style.json ? print_object : print_text)(path, line, session, video);
  return flush_output();
}

Result<std::vector<inference::Score>> classify_frame(const DecodedFrame& decoded,
                                                     Session& session) {
  TV_ASSIGN_OR_RETURN(const Frame frame, map_frame(decoded.buffer.get(), decoded.info));
  TV_ASSIGN_OR_RETURN(Scores scores, session.flow.classify(frame.view, session.style.top_k));
  return std::move(scores.top);
}

// A file with one frame is a picture: its line is held back until it is known whether another frame
// follows.
Status classify_file(const std::string& path, Session& session) {
  TV_ASSIGN_OR_RETURN(Decoder decoder, Decoder::open(path));
  std::optional<Line> first;
  for (std::uint64_t number = 0;; ++number) {
    TV_ASSIGN_OR_RETURN(const std::optional<DecodedFrame> frame, decoder.next(interrupted()));
    if (!frame) break;
    if (first) {
      TV_RETURN_IF_ERROR(print_line(path, *first, session, true));
      first.reset();
    }
    if (number % static_cast<std::uint64_t>(session.style.every) != 0) continue;
    Line line{number, frame->time, {}};
    TV_ASSIGN_OR_RETURN(line.scores, classify_frame(*frame, session));
    if (number == 0)
      first = std::move(line);
    else
      TV_RETURN_IF_ERROR(print_line(path, line, session, true));
  }
  if (first) return print_line(path, *first, session, false);
  return {};
}

int classify_files(const std::vector<std::string>& paths, Session& session) {
  int status = kOk;
  for (const std::string& path : paths) {
    Status done = classify_file(path, session);
    if (done) continue;
    if (!flush_output())
      return kFailure;  // nobody reads any more: main() says what there is to say
    if (done.error().what.find(path) == std::string::npos)
      done.error().what = path + ": " + done.error().what;
    status = report(done.error());
    if (interrupted()) break;
  }
  return status;
}

int run(const Arguments& arguments) {
  warn_of_user_files();
  const auto top_k = arguments.number("top-k", 1, 1'000'000),
             every = arguments.number("every", 1, 1'000'000'000);
  if (!top_k) return report_usage(top_k.error(), "classify");
  if (!every) return report_usage(every.error(), "classify");
  inference::ModelSpec spec;
  if (const Status place = choose_place(arguments, "auto", spec); !place)
    return report_usage(place.error(), "classify");
  const auto weights = resolve_weights(arguments.text("weights", kDefaultWeights));
  if (!weights) return report(weights.error());
  if (const Status classifier = check_classifier(**weights); !classifier)
    return report(classifier.error());
  spec.weights = *weights;
  spec.weights_file = arguments.text("weights-file");
  auto ready = inference::load_model(spec, fetch_options(arguments, (*weights)->name()));
  if (!ready) return report(ready.error());
  Session session{
      .weights = **weights,
      .place = place_of(spec, *ready),
      .flow = Flow(std::move(ready->model), (*weights)->preset, TransformsBackend::kTensor),
      .style = {.json = arguments.has("json"),
                .top_k = static_cast<int>(top_k->value_or(1)),
                .every = static_cast<int>(every->value_or(1))}};
  if (!session.style.json)
    note((*weights)->name() + " on " + session.place.device + ", " + session.place.precision);
  return classify_files(arguments.operands(), session);
}

}  // namespace

const Command kClassify = {
    .name = "classify",
    .operands = "FILE...",
    .min_operands = 1,
    .max_operands = -1,
    .summary = "Classify pictures and videos, whatever GStreamer can decode.",
    .details =
        "A line has fields with tabs between: the file, for a video the time of the frame, then "
        "category and\n"
        "probability, best first. Transparency is ignored, as by Pillow's convert(\"RGB\").\n"
        "A terminal on standard error is told on what device and in what precision.\n",
    .options = kOptions,
    .run = run,
};

}  // namespace tv::cli
