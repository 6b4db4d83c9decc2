#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <future>
#include <nlohmann/json.hpp>
#include <span>
#include <system_error>

#include "elements/inference/engine.hpp"
#include "elements/inference/no_thread.hpp"
#include "elements/tvclassify/frame.hpp"
#include "elements/tvclassify/prepare.hpp"
#include "model_registry/registry/registry.hpp"
#include "tools/tvmodels/arguments.hpp"
#include "tools/tvmodels/choose.hpp"
#include "tools/tvmodels/dataset.hpp"
#include "tools/tvmodels/decoder.hpp"
#include "tools/tvmodels/interrupt.hpp"
#include "tools/tvmodels/output.hpp"

namespace tv::cli {
namespace {

constexpr std::int64_t kBatchSize = 32;
constexpr std::size_t kBest = 5;  // of acc@5

constexpr Option kOptions[] = {
    {"weights", "NAME", "the entry"},
    {"weights-file", "FILE", "a local state dict for the entry's architecture and categories"},
    {"data", "PATH", "a folder with one folder a class, or a text file of pictures and classes"},
    {"batch-size", "N", "pictures that go through the network at once (default: 32)"},
    {"json", nullptr,
     "one JSON object: weights, device, precision, pictures, acc@1, acc@5 and what is published"},
    kDeviceOption,
    {"precision", "P", "fp32 (default: that of the published figures), auto, fp16 or bf16"},
    kOfflineOption,
};

// What a batch needs of its pictures: float32 [N, 3, crop, crop].
using Pixels = std::vector<float>;

Status load_picture(const std::string& path, Preparation& preparation, std::span<float> out) {
  TV_ASSIGN_OR_RETURN(Decoder decoder, Decoder::open(path));
  TV_ASSIGN_OR_RETURN(const std::optional<DecodedFrame> picture, decoder.next(interrupted()));
  if (!picture) return Error{Code::kUnreadable, path + ": holds no picture", "is it damaged?"};
  TV_ASSIGN_OR_RETURN(const Frame frame, map_frame(picture->buffer.get(), picture->info));
  return preparation.run(frame.view, out);
}

Result<Pixels> load_batch(std::span<const Sample> samples, const Transforms& recipe) {
  const auto side = static_cast<std::size_t>(recipe.crop_size);
  const std::size_t picture = 3 * side * side;
  Pixels pixels(samples.size() * picture);
  Preparation preparation(recipe, TransformsBackend::kPil);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (interrupted()) return Error{Code::kCancelled, "stopped", ""};
    const std::span<float> out = std::span(pixels).subspan(i * picture, picture);
    Status loaded = load_picture(samples[i].path, preparation, out);
    if (loaded) continue;
    Error error = loaded.error();
    if (error.what.find(samples[i].path) == std::string::npos)
      error.what = samples[i].path + ": " + error.what;
    return error;
  }
  return pixels;
}

struct Counts {
  std::size_t seen = 0, best = 0, among_five = 0;
  double acc1() const { return percent(best); }
  double acc5() const { return percent(among_five); }

 private:
  double percent(std::size_t right) const {
    return 100.0 * static_cast<double>(right) / static_cast<double>(seen);
  }
};

// How many classes are before this one; of equal logits the first class comes first.
std::size_t rank(std::span<const float> logits, std::size_t label) {
  std::size_t before = 0;
  for (std::size_t i = 0; i < logits.size(); ++i)
    before += logits[i] > logits[label] || (logits[i] == logits[label] && i < label);
  return before;
}

Status count(std::span<const float> logits, std::span<const Sample> samples, Counts& counts) {
  const std::size_t classes = logits.size() / samples.size();
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const std::span<const float> row = logits.subspan(i * classes, classes);
    const auto label = static_cast<std::size_t>(samples[i].label);
    if (!std::all_of(row.begin(), row.end(), [](float x) { return std::isfinite(x); }))
      return Error{Code::kInternal, samples[i].path + ": the network's answer is not finite",
                   "the weights are broken, or do not belong to this network"};
    const std::size_t place = rank(row, label);
    ++counts.seen;
    counts.best += place == 0;
    counts.among_five += place < kBest;
  }
  return {};
}

// "[#########---------------------]  12800 of 50000   acc@1 80.852   27.4 pictures/s"
class Progress {
 public:
  explicit Progress(std::size_t all) : all_(all), shown_(isatty(STDERR_FILENO) != 0) {}

  void show(const Counts& counts) const {
    if (!shown_) return;
    constexpr std::size_t kWidth = 30;
    const std::size_t filled = kWidth * counts.seen / all_;
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start_;
    char numbers[96];
    std::snprintf(numbers, sizeof numbers, "]  %zu of %zu   acc@1 %.3f   %.1f pictures/s",
                  counts.seen, all_, counts.acc1(),
                  static_cast<double>(counts.seen) / seconds.count());
    show_progress("[" + std::string(filled, '#') + std::string(kWidth - filled, '-') + numbers);
  }

 private:
  std::size_t all_;
  bool shown_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

Result<Counts> evaluate(const Weights& weights, const inference::ReadyModel& ready,
                        const std::vector<Sample>& samples, std::size_t batch_size) {
  const auto batch_at = [&](std::size_t first) {
    return std::span(samples).subspan(first, std::min(batch_size, samples.size() - first));
  };
  const auto load = [&](std::size_t first) -> Result<std::future<Result<Pixels>>> {
    try {
      return std::async(std::launch::async,
                        [&, first] { return load_batch(batch_at(first), weights.preset); });
    } catch (const std::system_error& error) {
      return inference::no_thread("that decodes pictures", error);
    }
  };
  const std::int64_t side = weights.preset.crop_size;
  const Progress progress(samples.size());
  Counts counts;
  // The next batch is decoded while this one is in the network.
  TV_ASSIGN_OR_RETURN(std::future<Result<Pixels>> next, load(0));
  for (std::size_t first = 0; first < samples.size(); first += batch_size) {
    TV_ASSIGN_OR_RETURN(const Pixels pixels, next.get());
    if (first + batch_size < samples.size()) {
      TV_ASSIGN_OR_RETURN(next, load(first + batch_size));
    }
    const std::span<const Sample> batch = batch_at(first);
    TV_ASSIGN_OR_RETURN(
        const std::vector<float> logits,
        ready.model->run(pixels, {static_cast<std::int64_t>(batch.size()), 3, side, side}));
    TV_RETURN_IF_ERROR(count(logits, batch, counts));
    progress.show(counts);
  }
  return counts;
}

void print_text(const Weights& weights, const Place& place, const std::string& data,
                const Counts& counts) {
  print(weights.name() + " on " + printable(data) + ": " + std::to_string(counts.seen) +
        (counts.seen == 1 ? " picture" : " pictures") + " on " + place.device + ", " +
        place.precision);
  const auto line = [](const char* name, double here, double published) {
    char text[64];
    if (std::isnan(published))
      std::snprintf(text, sizeof text, "%-6s %8.3f   not published", name, here);
    else
      std::snprintf(text, sizeof text, "%-6s %8.3f   %.3f", name, here, published);
    print(text);
  };
  print("           here   published (" + std::string(weights.dataset) + ")");
  line("acc@1", counts.acc1(), weights.acc1);
  line("acc@5", counts.acc5(), weights.acc5);
}

void print_object(const Weights& weights, const Place& place, const Counts& counts) {
  print_json({{"weights", weights.name()},
              {"device", place.device},
              {"precision", place.precision},
              {"pictures", counts.seen},
              {"acc@1", counts.acc1()},
              {"acc@5", counts.acc5()},
              {"published",
               {{"dataset", weights.dataset}, {"acc@1", weights.acc1}, {"acc@5", weights.acc5}}}});
}

Status run_on(const Weights& weights, const Arguments& arguments, inference::ModelSpec spec,
              std::size_t batch_size) {
  TV_RETURN_IF_ERROR(check_classifier(weights));
  const std::string data = arguments.text("data");
  TV_ASSIGN_OR_RETURN(const std::vector<Sample> samples, read_dataset(data, weights.categories));
  spec.weights = &weights;
  spec.weights_file = arguments.text("weights-file");
  TV_ASSIGN_OR_RETURN(const inference::ReadyModel ready,
                      inference::load_model(spec, fetch_options(arguments, weights.name())));
  TV_ASSIGN_OR_RETURN(const Counts counts, evaluate(weights, ready, samples, batch_size));
  const Place place = place_of(spec, ready);
  if (arguments.has("json"))
    print_object(weights, place, counts);
  else
    print_text(weights, place, data, counts);
  return {};
}

int run(const Arguments& arguments) {
  warn_of_user_files();
  if (const Status complete = arguments.require({"weights", "data"}); !complete)
    return report_usage(complete.error(), "evaluate");
  const auto batch_size = arguments.number("batch-size", 1, 4096);
  if (!batch_size) return report_usage(batch_size.error(), "evaluate");
  inference::ModelSpec spec;
  if (const Status place = choose_place(arguments, "fp32", spec); !place)
    return report_usage(place.error(), "evaluate");
  const auto weights = resolve_weights(arguments.text("weights"));
  if (!weights) return report(weights.error());
  const Status status = run_on(**weights, arguments, std::move(spec),
                               static_cast<std::size_t>(batch_size->value_or(kBatchSize)));
  return status ? static_cast<int>(kOk) : report(status.error());
}

}  // namespace

const Command kEvaluate = {
    .name = "evaluate",
    .operands = "",
    .min_operands = 0,
    .max_operands = 0,
    .summary = "Measure acc@1 and acc@5 on labelled pictures, beside the published figures.",
    .details =
        "Pictures are decoded and resized as by Pillow, which is how the published figures were "
        "measured.\n"
        "--data is a folder as torchvision's ImageFolder reads it (folders named as categories, or "
        "one for\n"
        "every category, in order), or a text file with a line for each picture: path, tab, "
        "class.\n",
    .options = kOptions,
    .run = run,
};

}  // namespace tv::cli
