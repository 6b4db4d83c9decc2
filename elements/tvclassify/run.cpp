#include "elements/tvclassify/run.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "elements/common/bus.hpp"
#include "elements/common/log.hpp"
#include "elements/tvclassify/frame.hpp"
#include "elements/tvclassify/messages.hpp"
#include "model_registry/hub/hub.hpp"

namespace tv {
namespace {

/// Why a buffer has nothing to classify; empty: it has.
std::string_view gap_reason(GstBuffer* buffer) {
  if (GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_GAP)) return "gap-flag";
  if (gst_buffer_get_size(buffer) == 0) return "empty";
  if (GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_CORRUPTED)) return "corrupted";
  return {};
}

std::string category(const Weights* weights, int index) {
  const auto i = static_cast<std::size_t>(index);
  if (!weights || i >= weights->categories.size()) return std::to_string(index);
  return std::string(weights->categories[i]);
}

int percent(std::uint64_t done, std::uint64_t total) {
  if (total == 0) return -1;
  return static_cast<int>(std::min<std::uint64_t>(100, done * 100 / total));
}

/// Which weights from where, for debug texts.
std::string source_of(const Choice& choice) {
  const std::string weights = "weights " + choice.name();
  if (!choice.spec.weights_file.empty()) return weights + ", file " + choice.spec.weights_file;
  if (!choice.weights()) return weights + ", seed " + std::to_string(choice.spec.seed);
  return weights + ", file " + cache_path(*choice.weights());
}

/// Says on the bus how loading goes. Holds the element and the announcer: whoever hears of it may
/// stop the element, and even let go of it, on the worker's own thread.
Classifier::Listener load_reporter(GstElement* element, std::shared_ptr<Announcer> announcer,
                                   const Choice& choice) {
  const std::shared_ptr<GstElement> held(GST_ELEMENT(gst_object_ref(element)), gst_object_unref);
  const std::string name = choice.name();
  Classifier::Listener listener;
  listener.started = [held, name] {
    post_progress(held.get(), GST_PROGRESS_TYPE_START, "Loading " + name);
  };
  listener.loaded = [held, name,
                     side = choice.recipe.crop_size](const inference::ReadyModel& model) {
    GST_INFO_OBJECT(held.get(), "%s on %s, input %dx%d", name.c_str(), model.device.c_str(), side,
                    side);
    if (!model.why_cpu.empty())
      GST_INFO_OBJECT(held.get(), "device=auto is the CPU: %s", model.why_cpu.c_str());
    post_progress(held.get(), GST_PROGRESS_TYPE_COMPLETE, name + " is ready on " + model.device,
                  100);
  };
  listener.failed = [held, name, announcer = std::move(announcer),
                     source = source_of(choice)](const Error& error) {
    post_progress(held.get(), GST_PROGRESS_TYPE_ERROR, "Cannot load " + name);
    announcer->post({error.code, "cannot load weights \"" + name + "\": " + error.what, error.hint},
                    Stage::kLoad, source);
  };
  listener.cancelled = [held, name] {
    post_progress(held.get(), GST_PROGRESS_TYPE_CANCELED, "Loading " + name + " was cancelled");
  };
  listener.progress = [held, name](std::uint64_t done, std::uint64_t total) {
    post_progress(held.get(), GST_PROGRESS_TYPE_CONTINUE, "Downloading " + name,
                  percent(done, total));
  };
  return listener;
}

}  // namespace

Run::Run(GstElement* element, Choice choice, const Settings& settings)
    : element_(element),
      announcer_(std::make_shared<Announcer>(element)),
      choice_(std::move(choice)),
      backend_(settings.transforms_backend) {
  auto loader = [spec = choice_.spec, side = choice_.recipe.crop_size,
                 offline = settings.offline](const FetchOptions& given) {
    FetchOptions options = given;
    options.offline = offline;
    return inference::load_model(spec, options, side);
  };
  classifier_ = std::make_unique<Classifier>(std::move(loader), choice_.recipe, backend_,
                                             load_reporter(element, announcer_, choice_));
}

Result<GstVideoInfo> Run::judge_caps(GstCaps* caps) const {
  const GstStructure* structure = gst_caps_get_structure(caps, 0);
  const char* interlace = gst_structure_get_string(structure, "interlace-mode");
  if (interlace && std::string_view(interlace) == "alternate")
    return Error{Code::kUnsupported,
                 "interlace-mode=alternate: a buffer holds one field, not a picture",
                 "put a deinterlacer in front"};
  GstVideoInfo info;
  if (!gst_video_info_from_caps(&info, caps))
    return Error{Code::kInvalidArgument,
                 std::string("caps that describe no video frame: ") +
                     GCharPtr(gst_caps_to_string(caps)).get(),
                 ""};
  const Result<Plan> plan = make_plan(choice_.recipe, GST_VIDEO_INFO_WIDTH(&info),
                                      GST_VIDEO_INFO_HEIGHT(&info), backend_);
  if (!plan) return plan.error();
  return info;
}

Status Run::set_caps(GstCaps* caps) {
  info_.reset();
  // Refused caps are sticky on the pad in front and come again with each push.
  if (refused_ && gst_caps_is_equal(refused_.get(), caps))
    return Error{Code::kCancelled, "the same caps again", ""};
  Result<GstVideoInfo> info = judge_caps(caps);
  refused_.reset(info ? nullptr : gst_caps_ref(caps));
  if (!info) return info.error();
  info_ = *info;
  return {};
}

ModelIdentity Run::identity() const {
  return {GCharPtr(gst_element_get_name(element_)).get(), choice_.name(), classifier_->sha256()};
}

std::string Run::about() const {
  const std::string sha256 = classifier_->sha256();
  return source_of(choice_) + (sha256.empty() ? "" : ", sha256 " + sha256);
}

FrameResult Run::classify(GstBuffer* buffer, const Settings& settings,
                          std::optional<Scores>& scores, bool& stopped) {
  FrameResult result;
  result.status = FrameStatus::kFailed;
  Result<Frame> frame =
      info_ ? map_frame(buffer, *info_) : Error{Code::kInternal, "a frame before its caps", ""};
  Result<Scores> done = frame ? classifier_->classify(frame->view, static_cast<int>(settings.top_k))
                              : Result<Scores>(frame.error());
  if (!done) {
    stopped = done.error().code == Code::kCancelled;
    failure_ = std::move(done.error());
    result.reason = failure_.what;
    return result;
  }
  result.status = FrameStatus::kOk;
  result.latency_ns = done->preprocess_ns + done->inference_ns;
  for (const inference::Score& score : done->top)
    if (static_cast<double>(score.probability) >= settings.threshold)
      result.labels.push_back(
          {score.index, category(choice_.weights(), score.index), score.probability});
  scores = std::move(*done);
  return result;
}

GstFlowReturn Run::report_failure(const Settings& settings) {
  const unsigned in_a_row = history_.consecutive_failures();
  const Error error{failure_.code, "cannot classify a frame: " + failure_.what, failure_.hint};
  if (settings.max_consecutive_failures > 0 && in_a_row >= settings.max_consecutive_failures) {
    report({error.code, error.what + " (" + std::to_string(in_a_row) + " in a row)", error.hint},
           Stage::kFrame);
    return GST_FLOW_ERROR;
  }
  if (history_.failure_is_news())
    post_warning(element_,
                 {error.code, error.what + " (" + std::to_string(history_.failures()) + " so far)",
                  error.hint},
                 Stage::kFrame, about());
  return GST_FLOW_OK;
}

Run::Outcome Run::judge(GstBuffer* buffer, const GstSegment* segment, const Settings& settings,
                        bool qos_enabled, const Stats& stats) {
  Outcome outcome;
  // Also frames that need no inference wait: none passes before it is known that the model can be
  // had.
  switch (classifier_->wait_ready()) {
    case Classifier::Readiness::kReady:
      break;
    case Classifier::Readiness::kFailed:
      outcome.flow = GST_FLOW_ERROR;
      return outcome;
    case Classifier::Readiness::kInterrupted:
      outcome.flow = GST_FLOW_FLUSHING;
      return outcome;
  }
  const ModelIdentity model = identity();
  const FrameTimes times = FrameTimes::of(buffer, segment);
  const GstClockTime earliest = earliest_;
  const bool late = qos_enabled && GST_CLOCK_TIME_IS_VALID(earliest) &&
                    GST_CLOCK_TIME_IS_VALID(times.running_time) && times.running_time <= earliest;
  FrameResult& result = outcome.result;
  if (const std::string_view reason = gap_reason(buffer); !reason.empty()) {
    result.status = FrameStatus::kGap;
    result.reason = reason;
  } else if (!history_.due(settings.interval)) {
    result = history_.skipped("interval");
  } else if (late) {
    result = history_.skipped("qos");
    post_qos(element_, times, stats, proportion_, earliest);
  } else {
    bool stopped = false;
    result = classify(buffer, settings, outcome.scores, stopped);
    if (stopped) {
      outcome.flow = GST_FLOW_FLUSHING;
      return outcome;
    }
  }
  outcome.judged = true;
  const std::optional<History::Change> change = history_.note(result);
  add_metadata(buffer, model, result);
  if (result.status == FrameStatus::kFailed) outcome.flow = report_failure(settings);
  if (result.status == FrameStatus::kOk && settings.post_messages)
    post_result(element_, model, result, times);
  if (change) post_class_changed(element_, model, change->previous, change->current, times);
  GST_LOG_OBJECT(element_, "%s, %zu labels, age %u", status_name(result.status).data(),
                 result.labels.size(), result.age);
  return outcome;
}

void Run::forget() {
  history_.forget();
  earliest_ = GST_CLOCK_TIME_NONE;
}

void Run::set_flushing(bool flushing) {
  announcer_->set_flushing(flushing);
  classifier_->set_flushing(flushing);
}

void Run::close() {
  announcer_->close();
  classifier_->close();
}

void Run::note_qos(double proportion, GstClockTime earliest_time) {
  proportion_ = proportion;
  earliest_ = earliest_time;
}

}  // namespace tv
