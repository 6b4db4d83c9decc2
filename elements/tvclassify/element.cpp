/* tvclassify: says what each video frame shows.
 *
 *   gst-launch-1.0 -m filesrc location=clip.mp4 ! decodebin ! tvclassify weights=resnet50 !
 * videoconvert ! autovideosink
 *
 * The shell around Run: no arithmetic, no inference, no LibTorch. Setters store, start() judges,
 * each vfunc works on copies of the settings, stop() drops the run. Between the pads is an ordered
 * queue: the streaming thread puts in, a task of the source pad takes out. What the pads do with
 * events and queries has files of its own.
 */
#include "elements/tvclassify/element.hpp"

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "elements/common/bus.hpp"
#include "elements/common/log.hpp"
#include "elements/tvclassify/cuda_memory.hpp"
#include "elements/tvclassify/events.hpp"
#include "elements/tvclassify/instance.hpp"
#include "elements/tvclassify/metadata.hpp"
#include "elements/tvclassify/properties.hpp"
#include "elements/tvclassify/queries.hpp"
#include "elements/tvclassify/run.hpp"
#include "model_registry/registry/registry.hpp"

using namespace tv;

// ---- caps -------------------------------------------------------------------------------------

// The formats of tv::pixel_formats(), in its order; larger pictures are refused by negotiation.
#define TV_FORMATS                                                                        \
  "{ RGB, BGR, RGBA, BGRA, ARGB, ABGR, RGBx, BGRx, xRGB, xBGR, GRAY8, I420, YV12, NV12, " \
  "NV21, YUY2, UYVY, Y42B, Y444, I420_10LE, P010_10LE, RGBP }"
#define TV_SIZES                                                                     \
  ", width=(int)[ 1, 16384 ], height=(int)[ 1, 16384 ], framerate=(fraction)[ 0/1, " \
  "2147483647/1 ]"

/// What both pads take: the video passes as it comes.
static CapsRef pad_caps() {
  CapsRef caps(gst_caps_from_string("video/x-raw, format=(string)" TV_FORMATS TV_SIZES));
  add_cuda_caps(caps.get(), TV_SIZES);
  return caps;
}

// ---- the object -------------------------------------------------------------------------------

struct GstTvClassifyClass {
  GstElementClass parent_class;
};

G_DEFINE_TYPE(GstTvClassify, gst_tv_classify, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE(tvclassify, "tvclassify", GST_RANK_NONE, gst_tv_classify_get_type())

namespace {

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

/// What the settings ask for, or why not.
Result<Choice> judge(const Settings& settings) {
  Result<Choice> choice = choose(settings);
  if (!choice && !settings.weights.empty())
    choice.error().what =
        "cannot load weights \"" + settings.weights + "\": " + choice.error().what;
  return choice;
}

void loop(gpointer data);

bool start(GstElement* element) {
  return no_throw(element, false, [&] {
    Impl& impl = impl_of(element);
    const Settings settings = impl.settings();
    Result<Choice> choice = judge(settings);
    if (!choice) {
      post_error(element, choice.error(), Stage::kSettings, asked_for(settings));
      return false;
    }
    post_notices(element, impl, *choice);
    impl.counters()->reset();
    if (choice->gpu) impl.cuda().ensure(element, *choice->gpu);
    auto run = std::make_shared<Run>(element, self_of(element)->source, loop, std::move(*choice),
                                     settings, impl.counters());
    if (const Status loads = run->load(); !loads) {
      post_error(element, loads.error(), Stage::kLoad, asked_for(settings));
      return false;
    }
    impl.begin(std::move(run));
    return true;
  });
}

void stop(GstElement* element) {
  no_throw(element, 0, [&] {
    // Waits for the loading thread, and for a running inference when nobody else has the model.
    if (const std::shared_ptr<Run> run = impl_of(element).end()) run->close();
    return 0;
  });
}

/// The run's own, with the present names: the user was told that everything else that was set since
/// acts at the next start.
Settings with_present_names(const Run& run, const Settings& present) {
  Settings settings = run.settings();
  settings.weights = present.weights;
  settings.model = present.model;
  settings.weights_file = present.weights_file;
  // It was for random numbers at the start, and cannot be taken back while running.
  if (asks_for_trained(settings)) settings.seed = 0;
  return settings;
}

/// Other weights while running.
void change_weights(GstElement* element, Impl& impl, Run& run) {
  const auto [present, turn] = impl.numbered_settings();
  const Settings settings = with_present_names(run, present);
  Result<Choice> choice = judge(settings);
  if (!choice) {
    Error& error = choice.error();
    error.what += "; those before go on";
    post_warning(element, error, Stage::kSettings, asked_for(settings));
    return;
  }
  post_notices(element, impl, *choice);
  run.change_weights(std::move(*choice), turn);
}

/// A decoder in front opens its context on the way to READY, and after us: sinks change first.
void share_context(GstElement* element) {
  no_throw(element, 0, [&] {
    Impl& impl = impl_of(element);
    if (const auto gpu = impl.gpu(); gpu && impl.names_gpu()) impl.cuda().ensure(element, *gpu);
    return 0;
  });
}

void set_context(GstElement* element, GstContext* context) {
  no_throw(element, 0, [&] {
    Impl& impl = impl_of(element);
    if (const auto gpu = impl.gpu()) impl.cuda().take(element, context, *gpu);
    return 0;
  });
  GST_ELEMENT_CLASS(gst_tv_classify_parent_class)->set_context(element, context);
}

GstStateChangeReturn change_state(GstElement* element, GstStateChange transition) {
  if (transition == GST_STATE_CHANGE_NULL_TO_READY) share_context(element);
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !start(element))
    return GST_STATE_CHANGE_FAILURE;
  // The pads are deactivated next, which waits for the streaming threads: nothing may hold them.
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
    no_throw(element, 0, [&] {
      if (const std::shared_ptr<Run> run = impl_of(element).run()) run->close();
      return 0;
    });
  const GstStateChangeReturn result =
      GST_ELEMENT_CLASS(gst_tv_classify_parent_class)->change_state(element, transition);
  const bool failed_to_start =
      transition == GST_STATE_CHANGE_READY_TO_PAUSED && result == GST_STATE_CHANGE_FAILURE;
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY || failed_to_start) stop(element);
  if (transition == GST_STATE_CHANGE_READY_TO_NULL) impl_of(element).cuda().drop();
  return result;
}

// ---- the pads ---------------------------------------------------------------------------------

void loop(gpointer data) {
  auto* const self = static_cast<GstTvClassify*>(data);
  const GstFlowReturn flow = no_throw(GST_ELEMENT(self), GST_FLOW_ERROR, [&] {
    const std::shared_ptr<Run> run = self->impl->run();
    return run ? run->deliver() : GST_FLOW_FLUSHING;
  });
  if (flow == GST_FLOW_OK) return;
  GST_DEBUG_OBJECT(self, "stops pushing: %s", gst_flow_get_name(flow));
  const std::shared_ptr<Run> run = self->impl->run();
  if (!run) {
    gst_pad_pause_task(self->source);
    return;
  }
  // An exception: whoever pushes must hear of it.
  if (flow == GST_FLOW_ERROR && run->flow() == GST_FLOW_OK) run->shut(flow);
  run->rest();
}

gboolean activate_source(GstPad* pad, GstObject* parent, GstPadMode mode, gboolean active) {
  if (mode != GST_PAD_MODE_PUSH) return FALSE;
  return no_throw<gboolean>(GST_ELEMENT(parent), FALSE, [&]() -> gboolean {
    const std::shared_ptr<Run> run = impl_of(parent).run();
    if (active) return run && run->resume();
    if (run) run->shut(GST_FLOW_FLUSHING);
    return gst_pad_stop_task(pad);
  });
}

gboolean activate_sink(GstPad*, GstObject* parent, GstPadMode mode, gboolean active) {
  if (mode != GST_PAD_MODE_PUSH) return FALSE;
  return no_throw<gboolean>(GST_ELEMENT(parent), FALSE, [&]() -> gboolean {
    const std::shared_ptr<Run> run = impl_of(parent).run();
    if (!active && run) run->shut(GST_FLOW_FLUSHING);
    return TRUE;
  });
}

GstFlowReturn chain(GstPad*, GstObject* parent, GstBuffer* buffer) {
  BufferRef owned(buffer);
  return no_throw(GST_ELEMENT(parent), GST_FLOW_ERROR, [&] {
    Impl& impl = impl_of(parent);
    const std::shared_ptr<Run> run = impl.run();
    return run ? run->accept(std::move(owned), impl.live()) : GST_FLOW_FLUSHING;
  });
}

// ---- properties -------------------------------------------------------------------------------

void set_property(GObject* object, guint id, const GValue* value, GParamSpec* spec) {
  no_throw(GST_ELEMENT(object), 0, [&] {
    const Property& property = properties()[id - 1];
    Impl& impl = impl_of(object);
    impl.change_settings([&](Settings& settings) { property.set(settings, value); });
    if (property.effect == Property::Effect::kNextStart && impl.run())
      post_warning(GST_ELEMENT(object),
                   {Code::kInvalidArgument,
                    std::string("property \"") + spec->name + "\" was set while running",
                    "it acts at the next start: set the element to READY and back"},
                   Stage::kSettings);
    return 0;
  });
}

/// All properties of one g_object_set() come together: a name and a file that belong to each other
/// are judged once, as a pair.
void properties_changed(GObject* object, guint count, GParamSpec** specs) {
  no_throw(GST_ELEMENT(object), 0, [&] {
    Impl& impl = impl_of(object);
    const std::shared_ptr<Run> run = impl.run();
    const bool asks_for_a_model = std::any_of(specs, specs + count, [](const GParamSpec* spec) {
      return spec->owner_type == gst_tv_classify_get_type() &&
             properties()[spec->param_id - 1].effect == Property::Effect::kNewModel;
    });
    if (run && asks_for_a_model) change_weights(GST_ELEMENT(object), impl, *run);
    return 0;
  });
  G_OBJECT_CLASS(gst_tv_classify_parent_class)->dispatch_properties_changed(object, count, specs);
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
    "    (array of structures index, label, score), latency (ns), age (frames) and, with "
    "smoothing,\n"
    "    raw-labels (of this frame alone). With inference-region=roi-list each region of interest "
    "has\n"
    "    a result among its parameters (gst_video_region_of_interest_meta_get_param()), a "
    "structure\n"
    "    named after the weights: label, label_id, confidence, labels, status, reason, "
    "frames_ago.\n"
    "    Messages: \"class-changed\" when the best label changes, \"tvclassify\" for each "
    "classified\n"
    "    frame with post-messages=true, \"weights-changed\", \"tvclassify-stats\" every "
    "stats-interval,\n"
    "    PROGRESS \"load\" while the model is loaded, LATENCY when the measured latency is "
    "another, QOS\n"
    "    for each frame that passed unclassified because it was late (qos=true) or the network was "
    "busy\n"
    "    (latency-mode=live).\n"
    "    Cameras: latency-mode=live lets every frame leave within max-latency. Elements that want "
    "the same\n"
    "    weights share one loaded model; with batch-size=N their pictures run together.\n"
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
  object->set_property = set_property;
  object->get_property = get_property;
  object->dispatch_properties_changed = properties_changed;
  object->finalize = finalize;
  const std::span<const Property> rows = properties();
  for (std::size_t i = 0; i < rows.size(); ++i)
    g_object_class_install_property(object, static_cast<guint>(i + 1), rows[i].make());

  const CapsRef caps = pad_caps();
  gst_element_class_add_pad_template(
      element, gst_pad_template_new("sink", GST_PAD_SINK, GST_PAD_ALWAYS, caps.get()));
  gst_element_class_add_pad_template(
      element, gst_pad_template_new("src", GST_PAD_SRC, GST_PAD_ALWAYS, caps.get()));
  gst_element_class_set_static_metadata(element, "torchvision classifier", "Filter/Analyzer/Video",
                                        kDescription, "The gst-torchvision authors");
  gst_element_class_add_static_metadata(element, "manual", kManual);
  no_throw<int>(nullptr, 0, [&] {
    gst_element_class_add_metadata(element, "weights", weights_list().c_str());
    register_metadata();
    return 0;
  });
  element->change_state = change_state;
  element->set_context = set_context;
}

static void gst_tv_classify_init(GstTvClassify* self) {
  self->impl = new Impl;
  auto* const klass = GST_ELEMENT_GET_CLASS(self);
  self->sink = gst_pad_new_from_template(gst_element_class_get_pad_template(klass, "sink"), "sink");
  gst_pad_set_activatemode_function(self->sink, activate_sink);
  gst_pad_set_chain_function(self->sink, chain);
  gst_pad_set_event_function(self->sink, sink_event);
  gst_pad_set_query_function(self->sink, sink_query);
  self->source = gst_pad_new_from_template(gst_element_class_get_pad_template(klass, "src"), "src");
  gst_pad_set_activatemode_function(self->source, activate_source);
  gst_pad_set_event_function(self->source, source_event);
  gst_pad_set_query_function(self->source, source_query);
  for (GstPad* pad : {self->sink, self->source}) {
    GST_PAD_SET_PROXY_CAPS(pad);
    gst_element_add_pad(GST_ELEMENT(self), pad);
  }
}
