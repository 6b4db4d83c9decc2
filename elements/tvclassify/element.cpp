/* tvclassify: says what each video frame shows.
 *
 *   gst-launch-1.0 -m filesrc location=clip.mp4 ! decodebin ! tvclassify weights=resnet50 !
 * videoconvert ! autovideosink
 *
 * The shell around Run: no arithmetic, no inference, no LibTorch. Setters store, start() judges,
 * each vfunc works on copies of the settings, stop() drops the run.
 */
#include "elements/tvclassify/element.hpp"

#include <gst/base/gstbasetransform.h>
#include <gst/video/video.h>

#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "elements/common/bus.hpp"
#include "elements/common/log.hpp"
#include "elements/tvclassify/metadata.hpp"
#include "elements/tvclassify/properties.hpp"
#include "elements/tvclassify/run.hpp"
#include "model_registry/registry/registry.hpp"

using namespace tv;

// ---- caps -------------------------------------------------------------------------------------

// The formats of tv::pixel_formats(), in its order; larger pictures are refused by negotiation.
#define TV_FORMATS                                                                        \
  "{ RGB, BGR, RGBA, BGRA, ARGB, ABGR, RGBx, BGRx, xRGB, xBGR, GRAY8, I420, YV12, NV12, " \
  "NV21, YUY2, UYVY, Y42B, Y444, I420_10LE, P010_10LE }"
#define TV_CAPS                                                                      \
  "video/x-raw, format=(string)" TV_FORMATS                                          \
  ", width=(int)[ 1, 16384 ], height=(int)[ 1, 16384 ], framerate=(fraction)[ 0/1, " \
  "2147483647/1 ]"

static GstStaticPadTemplate kSinkTemplate =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(TV_CAPS));
static GstStaticPadTemplate kSourceTemplate =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(TV_CAPS));

// ---- the object -------------------------------------------------------------------------------

namespace {

/// Shared between threads by copies alone.
class Impl {
  template <typename F>
  auto locked(F&& read) const {
    const std::lock_guard lock(mutex_);
    return read();
  }

 public:
  Settings settings() const {
    return locked([&] { return settings_; });
  }
  Stats stats() const {
    return locked([&] { return stats_; });
  }
  Snapshot snapshot() const {
    return locked([&] {
      return Snapshot{settings_, stats_,
                      run_ ? std::optional<Choice>(run_->choice()) : std::nullopt};
    });
  }
  std::shared_ptr<Run> run() const {
    return locked([&] { return run_; });
  }

  template <typename F>
  void change_settings(F&& change) {
    const std::lock_guard lock(mutex_);
    change(settings_);
  }
  template <typename F>
  void change_stats(F&& change) {
    const std::lock_guard lock(mutex_);
    change(stats_);
  }
  void begin(std::shared_ptr<Run> run) {
    const std::lock_guard lock(mutex_);
    run_ = std::move(run);
    stats_ = {};
  }
  /// False when it has been told before in this element's life.
  bool is_news(const std::string& text) {
    const std::lock_guard lock(mutex_);
    return told_.insert(text).second;
  }
  /// The run is given to the caller, who ends it with no lock held.
  std::shared_ptr<Run> end() {
    const std::lock_guard lock(mutex_);
    return std::exchange(run_, nullptr);
  }

 private:
  mutable std::mutex mutex_;
  Settings settings_;
  Stats stats_;
  std::shared_ptr<Run> run_;  // from start() to stop()
  std::set<std::string> told_;
};

}  // namespace

struct GstTvClassify {
  GstBaseTransform parent;
  Impl* impl;
};
struct GstTvClassifyClass {
  GstBaseTransformClass parent_class;
};

G_DEFINE_TYPE(GstTvClassify, gst_tv_classify, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE(tvclassify, "tvclassify", GST_RANK_NONE, gst_tv_classify_get_type())

namespace {

template <typename T>
Impl& impl_of(T* object) {
  return *reinterpret_cast<GstTvClassify*>(object)->impl;
}

// ---- from start to stop -----------------------------------------------------------------------

/// For debug texts.
std::string asked_for(const Settings& settings) {
  std::string text = "weights \"" + settings.weights + "\"";
  if (!settings.model.empty()) text += ", model \"" + settings.model + "\"";
  if (!settings.weights_file.empty()) text += ", file " + settings.weights_file;
  return text + ", device " + settings.device;
}

/// What the user should know of a choice that works.
void post_notices(GstElement* element, Impl& impl, const Choice& choice) {
  const Error& deprecation = choice.selection.deprecation;
  if (!deprecation.what.empty() && impl.is_news(deprecation.what))
    post_warning(element, deprecation, Stage::kSettings);
  if (!choice.weights() && choice.spec.weights_file.empty())
    post_warning(element,
                 {Code::kInvalidArgument,
                  choice.name() + " is initialised at random (seed " +
                      std::to_string(choice.spec.seed) + "): its classes mean nothing",
                  "say weights=DEFAULT for the best published ones"},
                 Stage::kSettings);
  if (!choice.weights() || choice.weights()->license.empty()) return;
  const std::string license =
      choice.name() + " have a licence of their own: " + std::string(choice.weights()->license);
  if (impl.is_news(license))
    post_info(element, {Code::kInvalidArgument, license, ""}, Stage::kSettings);
}

gboolean start(GstBaseTransform* base) {
  GstElement* element = GST_ELEMENT(base);
  return no_throw<gboolean>(element, FALSE, [&]() -> gboolean {
    Impl& impl = impl_of(base);
    const Settings settings = impl.settings();
    Result<Choice> choice = choose(settings);
    if (!choice) {
      Error& error = choice.error();
      if (!settings.weights.empty())
        error.what = "cannot load weights \"" + settings.weights + "\": " + error.what;
      post_error(element, error, Stage::kSettings, asked_for(settings));
      return FALSE;
    }
    post_notices(element, impl, *choice);
    impl.begin(std::make_shared<Run>(element, std::move(*choice), settings));
    return TRUE;
  });
}

gboolean set_caps(GstBaseTransform* base, GstCaps* caps, GstCaps*) {
  GstElement* element = GST_ELEMENT(base);
  return no_throw<gboolean>(element, FALSE, [&]() -> gboolean {
    const std::shared_ptr<Run> run = impl_of(base).run();
    if (!run) return FALSE;
    const Status status = run->set_caps(caps);
    if (!status) run->report(status.error(), Stage::kCaps);
    GST_DEBUG_OBJECT(element, "frames are %" GST_PTR_FORMAT, static_cast<void*>(caps));
    return static_cast<bool>(status);
  });
}

gboolean sink_event(GstBaseTransform* base, GstEvent* event) {
  no_throw(GST_ELEMENT(base), 0, [&] {
    const std::shared_ptr<Run> run = impl_of(base).run();
    if (!run) return 0;
    switch (GST_EVENT_TYPE(event)) {
      case GST_EVENT_FLUSH_START:
        run->set_flushing(true);
        break;
      case GST_EVENT_FLUSH_STOP:
        run->set_flushing(false);
        run->forget();
        break;
      case GST_EVENT_STREAM_START:
        run->forget();
        break;
      default:
        break;
    }
    return 0;
  });
  return GST_BASE_TRANSFORM_CLASS(gst_tv_classify_parent_class)->sink_event(base, event);
}

// The base class answers a QoS event by dropping frames, which this element never does: it is kept
// from seeing them, and late frames pass without being classified.
gboolean src_event(GstBaseTransform* base, GstEvent* event) {
  if (GST_EVENT_TYPE(event) != GST_EVENT_QOS)
    return GST_BASE_TRANSFORM_CLASS(gst_tv_classify_parent_class)->src_event(base, event);
  gdouble proportion = 1;
  GstClockTimeDiff diff = 0;
  GstClockTime timestamp = GST_CLOCK_TIME_NONE;
  gst_event_parse_qos(event, nullptr, &proportion, &diff, &timestamp);
  no_throw(GST_ELEMENT(base), 0, [&] {
    const std::shared_ptr<Run> run = impl_of(base).run();
    if (!run || !GST_CLOCK_TIME_IS_VALID(timestamp)) return 0;
    const bool before_zero = diff < 0 && static_cast<GstClockTime>(-diff) > timestamp;
    run->note_qos(proportion, before_zero ? 0 : timestamp + static_cast<GstClockTime>(diff));
    return 0;
  });
  return gst_pad_push_event(base->sinkpad, event);
}

GstFlowReturn transform_ip(GstBaseTransform* base, GstBuffer* buffer) {
  return no_throw(GST_ELEMENT(base), GST_FLOW_ERROR, [&] {
    Impl& impl = impl_of(base);
    const std::shared_ptr<Run> run = impl.run();
    if (!run) return GST_FLOW_FLUSHING;
    const Run::Outcome outcome = run->judge(buffer, &base->segment, impl.settings(),
                                            gst_base_transform_is_qos_enabled(base), impl.stats());
    if (outcome.judged)
      impl.change_stats([&](Stats& stats) {
        stats.add(outcome.result.status);
        if (!outcome.scores) return;
        stats.preprocess.add(outcome.scores->preprocess_ns);
        stats.inference.add(outcome.scores->inference_ns);
        stats.total.add(outcome.result.latency_ns);
      });
    return outcome.flow;
  });
}

gboolean stop(GstBaseTransform* base) {
  return no_throw<gboolean>(GST_ELEMENT(base), TRUE, [&]() -> gboolean {
    // Ends the worker: a download is cancelled, an inference runs to its end.
    if (const std::shared_ptr<Run> run = impl_of(base).end()) run->close();
    return TRUE;
  });
}

GstStateChangeReturn change_state(GstElement* element, GstStateChange transition) {
  // The base class waits for the streaming thread, which may be waiting for the model.
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
    no_throw(element, 0, [&] {
      if (const std::shared_ptr<Run> run = impl_of(element).run()) run->close();
      return 0;
    });
  return GST_ELEMENT_CLASS(gst_tv_classify_parent_class)->change_state(element, transition);
}

// ---- properties -------------------------------------------------------------------------------

void set_property(GObject* object, guint id, const GValue* value, GParamSpec* spec) {
  no_throw(GST_ELEMENT(object), 0, [&] {
    const Property& property = properties()[id - 1];
    Impl& impl = impl_of(object);
    impl.change_settings([&](Settings& settings) { property.set(settings, value); });
    if (!property.live && impl.run())
      post_warning(GST_ELEMENT(object),
                   {Code::kInvalidArgument,
                    std::string("property \"") + spec->name + "\" was set while running",
                    "it acts at the next start: set the element to READY and back"},
                   Stage::kSettings);
    return 0;
  });
}

void get_property(GObject* object, guint id, GValue* value, GParamSpec*) {
  no_throw(GST_ELEMENT(object), 0, [&] {
    properties()[id - 1].get(impl_of(object).snapshot(), value);
    return 0;
  });
}

// ---- life -------------------------------------------------------------------------------------

void finalize(GObject* object) {
  delete reinterpret_cast<GstTvClassify*>(object)->impl;
  G_OBJECT_CLASS(gst_tv_classify_parent_class)->finalize(object);
}

constexpr const char* kDescription =
    "Classifies each frame with a network of torchvision and writes the labels on the buffer. "
    "The video passes untouched";

constexpr const char* kManual =
    "One string decides everything: weights=NAME picks the network, its trained parameters, the\n"
    "    preprocessing and the categories.\n"
    "      gst-launch-1.0 -m filesrc location=clip.mp4 ! decodebin ! tvclassify weights=resnet50 ! "
    "fakesink\n"
    "      gst-launch-1.0 -m videotestsrc ! tvclassify model=resnet50 weights=DEFAULT ! fakesink\n"
    "      gst-launch-1.0 -m v4l2src ! tvclassify weights=MobileNet_V2_Weights.IMAGENET1K_V2 "
    "interval=5 ! \\\n"
    "          videoconvert ! autovideosink\n"
    "      gst-launch-1.0 -m filesrc location=clip.mp4 ! decodebin ! tvclassify weights=resnet18 "
    "\\\n"
    "          weights-file=mine.pth top-k=1 threshold=0.5 post-messages=true ! fakesink\n"
    "    Results: a GstCustomMeta \"TvClassifyMeta\" on each buffer, with the fields version, "
    "element,\n"
    "    status (ok, gap, skipped, failed), reason, weights, model-digest, label, index, score, "
    "labels\n"
    "    (array of structures index, label, score), latency (ns) and age (frames).\n"
    "    Messages: \"class-changed\" when the best label changes, \"tvclassify\" for each "
    "classified\n"
    "    frame with post-messages=true, PROGRESS \"load\" while the model is loaded.\n"
    "    Files come from torch.hub's cache ($TORCH_HOME/hub/checkpoints) or by https download.";

/// torchvision's entries, one a line; the user's own may change after the registry cached this
/// text.
std::string weights_list() {
  std::string list = "BUILDER (its DEFAULT) or one of";
  for (const Weights* weights : all_weights())
    if (!weights->user_defined && is_runnable(weights->builder))
      list += "\n      " + weights->name();
  return list;
}

}  // namespace

static void gst_tv_classify_class_init(GstTvClassifyClass* klass) {
  auto* object = G_OBJECT_CLASS(klass);
  auto* element = GST_ELEMENT_CLASS(klass);
  auto* base = GST_BASE_TRANSFORM_CLASS(klass);
  object->set_property = set_property;
  object->get_property = get_property;
  object->finalize = finalize;
  const std::span<const Property> rows = properties();
  for (std::size_t i = 0; i < rows.size(); ++i)
    g_object_class_install_property(object, static_cast<guint>(i + 1), rows[i].make());

  gst_element_class_add_static_pad_template(element, &kSinkTemplate);
  gst_element_class_add_static_pad_template(element, &kSourceTemplate);
  gst_element_class_set_static_metadata(element, "torchvision classifier", "Filter/Analyzer/Video",
                                        kDescription, "The gst-torchvision authors");
  gst_element_class_add_static_metadata(element, "manual", kManual);
  no_throw<int>(nullptr, 0, [&] {
    gst_element_class_add_metadata(element, "weights", weights_list().c_str());
    register_metadata();
    return 0;
  });
  element->change_state = change_state;

  base->start = start;
  base->set_caps = set_caps;
  base->sink_event = sink_event;
  base->src_event = src_event;
  base->transform_ip = transform_ip;
  base->stop = stop;
}

static void gst_tv_classify_init(GstTvClassify* self) {
  self->impl = new Impl;
  auto* base = GST_BASE_TRANSFORM(self);
  gst_base_transform_set_in_place(base, TRUE);
  gst_base_transform_set_gap_aware(base, TRUE);
}
