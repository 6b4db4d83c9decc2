#include "elements/tvclassify/properties.hpp"

#include <vector>

#include "elements/tvclassify/info.hpp"
#include "model_registry/registry/registry.hpp"

namespace tv {

using inference::Precision;
namespace {

constexpr auto kRead = static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
constexpr auto kAtStart =
    static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY);
constexpr auto kNextFrame = Property::Effect::kNextFrame;
constexpr auto kNewModel = Property::Effect::kNewModel;
constexpr auto kLive = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                GST_PARAM_MUTABLE_PLAYING);

/// Of times that are waited for, nanoseconds.
constexpr guint64 kLongest = 60 * GST_SECOND;

// ---- enums ------------------------------------------------------------------------------------

GType make_enum(const char* name, const GEnumValue* values) {
  const GType type = g_enum_register_static(name, values);
  gst_type_mark_as_plugin_api(type, static_cast<GstPluginAPIFlags>(0));
  return type;
}

template <typename E>
constexpr gint number(E value) {
  return static_cast<gint>(value);
}

GType precision_type() {
  static const GEnumValue kValues[] = {
      {number(Precision::kAuto),
       "The fastest one that keeps the published accuracy: on the CPU that of the weights, fp32 or "
       "int8; on a GPU fp16",
       "auto"},
      {number(Precision::kFloat32), "32-bit floating point; int8 weights are refused", "fp32"},
      {number(Precision::kFloat16), "16-bit floating point, GPU alone", "fp16"},
      {number(Precision::kBFloat16), "bfloat16, GPU alone", "bf16"},
      {0, nullptr, nullptr}};
  static const GType type = make_enum("GstTvClassifyPrecision", kValues);
  return type;
}

GType backend_type() {
  static const GEnumValue kValues[] = {
      {number(TransformsBackend::kTensor), "torchvision on a uint8 tensor", "tensor"},
      {number(TransformsBackend::kPil),
       "torchvision on a PIL image: how the published accuracies were measured", "pil"},
      {0, nullptr, nullptr}};
  static const GType type = make_enum("GstTvClassifyTransformsBackend", kValues);
  return type;
}

GType latency_mode_type() {
  static const GEnumValue kValues[] = {
      {number(LatencyMode::kComplete),
       "Every frame is classified; a slow model slows the stream down", "complete"},
      {number(LatencyMode::kLive),
       "Frames leave within max-latency; one that inference did not reach carries the newest "
       "result",
       "live"},
      {0, nullptr, nullptr}};
  static const GType type = make_enum("GstTvClassifyLatencyMode", kValues);
  return type;
}

GType inference_region_type() {
  static const GEnumValue kValues[] = {
      {number(InferenceRegion::kFullFrame), "The whole frame", "full-frame"},
      {number(InferenceRegion::kRoiList),
       "Each region of interest that elements in front put on the buffer", "roi-list"},
      {0, nullptr, nullptr}};
  static const GType type = make_enum("GstTvClassifyInferenceRegion", kValues);
  return type;
}

GType smoothing_type() {
  static const GEnumValue kValues[] = {
      {number(SmoothingKind::kNone), "Scores of each frame alone", "none"},
      {number(SmoothingKind::kEma), "Exponential moving average with smoothing-half-life", "ema"},
      {number(SmoothingKind::kMajority), "Share of the frames within smoothing-window", "majority"},
      {0, nullptr, nullptr}};
  static const GType type = make_enum("GstTvClassifySmoothing", kValues);
  return type;
}

GType executor_type() {
  static const GEnumValue kValues[] = {
      {number(inference::Executor::kFused), "Folded and fused operators", "fused"},
      {number(inference::Executor::kReference), "Plain operators one by one, to compare with",
       "reference"},
      {0, nullptr, nullptr}};
  static const GType type = make_enum("GstTvClassifyExecutor", kValues);
  return type;
}

// ---- values -----------------------------------------------------------------------------------

std::string text_of(const GValue* value) {
  const char* text = g_value_get_string(value);
  return text ? text : "";
}

void get_categories(const Snapshot& snapshot, GValue* value) {
  const Weights* const weights = snapshot.weights();
  g_value_take_boxed(
      value, make_strv(weights ? weights->categories : std::span<const std::string_view>{}));
}

void get_weights_info(const Snapshot& snapshot, GValue* value) {
  const Weights* const weights = snapshot.weights();
  if (!weights) return;
  const Transforms recipe = snapshot.running ? snapshot.running->recipe
                                             : weights->transforms(snapshot.settings.overrides());
  g_value_take_boxed(value, make_weights_info(*weights, recipe).release());
}

void get_available(const Snapshot&, GValue* value) {
  std::vector<std::string> names;
  for (const Weights* weights : all_weights())
    if (is_runnable(weights->builder) && check_classifier(*weights))
      names.push_back(weights->name());
  g_value_take_boxed(value, make_strv(names));
}

void get_stats(const Snapshot& snapshot, GValue* value) {
  g_value_take_boxed(value, make_stats("stats", snapshot.stats).release());
}

// ---- the table --------------------------------------------------------------------------------

// clang-format off
const Property kProperties[] = {
  {[] { return g_param_spec_string("weights", "Weights",
      "Name of the weights; decides network, preprocessing and categories. \"ResNet50_Weights.IMAGENET1K_V2\", "
      "\"ResNet50_Weights.DEFAULT\", \"resnet50\" (its DEFAULT), any letter case, or an entry of your own; see "
      "available-weights. With \"model\" the entry alone (\"DEFAULT\"), or \"none\" for random initialisation. Must be set. Set in "
      "PLAYING, the new weights are loaded in the background and take over at a frame boundary",
      "", kLive); },
   [](Settings& s, const GValue* v) { s.weights = text_of(v); },
   [](const Snapshot& s, GValue* v) { g_value_set_string(v, s.settings.weights.c_str()); }, kNewModel},

  {[] { return g_param_spec_string("model", "Model",
      "Builder of the network, as torchvision calls it (\"resnet50\"); empty: that of \"weights\". With \"weights\" they must "
      "belong together; with weights-file alone the file is loaded into it, and classes have numbers for names. Acts as \"weights\" does", "",
      kLive); },
   [](Settings& s, const GValue* v) { s.model = text_of(v); },
   [](const Snapshot& s, GValue* v) { g_value_set_string(v, s.settings.model.c_str()); }, kNewModel},

  {[] { return g_param_spec_boolean("pretrained", "Pretrained",
      "Deprecated, use \"weights\": with \"model\", true means its IMAGENET1K_V1 (never DEFAULT), false random "
      "initialisation", FALSE, static_cast<GParamFlags>(kAtStart | G_PARAM_DEPRECATED)); },
   [](Settings& s, const GValue* v) { s.pretrained = g_value_get_boolean(v) != FALSE; },
   [](const Snapshot& s, GValue* v) { g_value_set_boolean(v, s.settings.pretrained.value_or(false)); }},

  {[] { return g_param_spec_uint64("seed", "Seed",
      "Of random initialisation (weights=none): the numbers that torchvision draws after torch.manual_seed(seed)",
      0, G_MAXUINT64, 0, kAtStart); },
   [](Settings& s, const GValue* v) { s.seed = g_value_get_uint64(v); },
   [](const Snapshot& s, GValue* v) { g_value_set_uint64(v, s.settings.seed); }},

  {[] { return g_param_spec_string("weights-file", "Weights file",
      "Path of a local file to load into the network of \"weights\" instead of the published one, as written by "
      "torch.save(model.state_dict()). No digest is asked of it; empty: the published file, from the cache or by download. "
      "Acts as \"weights\" does",
      "", kLive); },
   [](Settings& s, const GValue* v) { s.weights_file = text_of(v); },
   [](const Snapshot& s, GValue* v) { g_value_set_string(v, s.settings.weights_file.c_str()); }, kNewModel},

  {[] { return g_param_spec_string("device", "Device",
      "Where to compute: \"auto\" (the best there is), \"cpu\", \"cuda\" or \"cuda:N\"", "auto", kAtStart); },
   [](Settings& s, const GValue* v) { s.device = text_of(v); },
   [](const Snapshot& s, GValue* v) { g_value_set_string(v, s.settings.device.c_str()); }},

  {[] { return g_param_spec_enum("precision", "Precision", "Arithmetic of the network",
      precision_type(), number(Precision::kAuto), kAtStart); },
   [](Settings& s, const GValue* v) { s.precision = static_cast<Precision>(g_value_get_enum(v)); },
   [](const Snapshot& s, GValue* v) { g_value_set_enum(v, number(s.settings.precision)); }},

  {[] { return g_param_spec_uint("top-k", "Top k",
      "How many classes a result lists at most, best first", 1, 1000, 5, kLive); },
   [](Settings& s, const GValue* v) { s.live.top_k = g_value_get_uint(v); },
   [](const Snapshot& s, GValue* v) { g_value_set_uint(v, s.settings.live.top_k); }, kNextFrame},

  {[] { return g_param_spec_double("threshold", "Threshold",
      "Lowest score (softmax probability) that a result lists", 0, 1, 0, kLive); },
   [](Settings& s, const GValue* v) { s.live.threshold = g_value_get_double(v); },
   [](const Snapshot& s, GValue* v) { g_value_set_double(v, s.settings.live.threshold); }, kNextFrame},

  {[] { return g_param_spec_uint("interval", "Interval",
      "Classify every n-th frame; the others pass with status \"skipped\" and carry the last labels with their age in "
      "frames", 1, G_MAXUINT, 1, kLive); },
   [](Settings& s, const GValue* v) { s.live.interval = g_value_get_uint(v); },
   [](const Snapshot& s, GValue* v) { g_value_set_uint(v, s.settings.live.interval); }, kNextFrame},

  {[] { return g_param_spec_int("crop-size", "Crop size",
      "Side of the square that the network sees, pixels; 0: as published with the weights", 0, 16384, 0, kAtStart); },
   [](Settings& s, const GValue* v) { s.crop_size = g_value_get_int(v); },
   [](const Snapshot& s, GValue* v) { g_value_set_int(v, s.settings.crop_size); }},

  {[] { return g_param_spec_int("resize-size", "Resize size",
      "Length of the picture's shorter side before the crop, pixels; 0: as published with the weights",
      0, 16384, 0, kAtStart); },
   [](Settings& s, const GValue* v) { s.resize_size = g_value_get_int(v); },
   [](const Snapshot& s, GValue* v) { g_value_set_int(v, s.settings.resize_size); }},

  {[] { return g_param_spec_enum("transforms-backend", "Transforms backend",
      "Whose arithmetic resizes the picture, bit for bit", backend_type(), number(TransformsBackend::kTensor),
      kAtStart); },
   [](Settings& s, const GValue* v) { s.transforms_backend = static_cast<TransformsBackend>(g_value_get_enum(v)); },
   [](const Snapshot& s, GValue* v) { g_value_set_enum(v, number(s.settings.transforms_backend)); }},

  {[] { return g_param_spec_boolean("post-messages", "Post messages",
      "Post an element message \"tvclassify\" on the bus for each classified frame (\"class-changed\" is always posted)",
      FALSE, kLive); },
   [](Settings& s, const GValue* v) { s.live.post_messages = g_value_get_boolean(v) != FALSE; },
   [](const Snapshot& s, GValue* v) { g_value_set_boolean(v, s.settings.live.post_messages); }, kNextFrame},

  {[] { return g_param_spec_uint("max-consecutive-failures", "Max consecutive failures",
      "A frame that cannot be classified passes with status \"failed\" and a warning; so many of them in a row are an "
      "error that ends the stream. 0: never", 0, G_MAXUINT, 30, kLive); },
   [](Settings& s, const GValue* v) { s.live.max_consecutive_failures = g_value_get_uint(v); },
   [](const Snapshot& s, GValue* v) { g_value_set_uint(v, s.settings.live.max_consecutive_failures); }, kNextFrame},

  {[] { return g_param_spec_enum("executor", "Executor",
      "For debugging: how the network is computed", executor_type(), number(inference::Executor::kFused), kAtStart); },
   [](Settings& s, const GValue* v) { s.executor = static_cast<inference::Executor>(g_value_get_enum(v)); },
   [](const Snapshot& s, GValue* v) { g_value_set_enum(v, number(s.settings.executor)); }},

  {[] { return g_param_spec_boolean("offline", "Offline",
      "Never touch the network: a file that is not in the cache is an error that names the path where to put it",
      FALSE, kAtStart); },
   [](Settings& s, const GValue* v) { s.offline = g_value_get_boolean(v) != FALSE; },
   [](const Snapshot& s, GValue* v) { g_value_set_boolean(v, s.settings.offline); }},

  {[] { return g_param_spec_boolean("share", "Share",
      "Use one loaded model together with all elements of this process that want the same one (weights or file digest, "
      "device, executor, input size)", TRUE, kAtStart); },
   [](Settings& s, const GValue* v) { s.share = g_value_get_boolean(v) != FALSE; },
   [](const Snapshot& s, GValue* v) { g_value_set_boolean(v, s.settings.share); }},

  {[] { return g_param_spec_string("model-id", "Model id",
      "Name of a group: elements share a model only with those of the same group; empty: the group of all others", "",
      kAtStart); },
   [](Settings& s, const GValue* v) { s.model_id = text_of(v); },
   [](const Snapshot& s, GValue* v) { g_value_set_string(v, s.settings.model_id.c_str()); }},

  {[] { return g_param_spec_uint("batch-size", "Batch size",
      "How many pictures run through the network together at most, also those of other elements that share the model",
      1, 1024, 1, kAtStart); },
   [](Settings& s, const GValue* v) { s.batch_size = g_value_get_uint(v); },
   [](const Snapshot& s, GValue* v) { g_value_set_uint(v, s.settings.batch_size); }},

  {[] { return g_param_spec_uint64("batch-timeout", "Batch timeout",
      "How long a picture waits for others to fill the batch, nanoseconds; 0: it takes along what is there", 0,
      kLongest, 0, kAtStart); },
   [](Settings& s, const GValue* v) { s.batch_timeout_ns = g_value_get_uint64(v); },
   [](const Snapshot& s, GValue* v) { g_value_set_uint64(v, s.settings.batch_timeout_ns); }},

  {[] { return g_param_spec_uint("max-in-flight", "Max in flight",
      "How many frames are inside at most; then the stream in front waits", 1, 1024, 4, kAtStart); },
   [](Settings& s, const GValue* v) { s.max_in_flight = g_value_get_uint(v); },
   [](const Snapshot& s, GValue* v) { g_value_set_uint(v, s.settings.max_in_flight); }},

  {[] { return g_param_spec_enum("latency-mode", "Latency mode", "What gives way when the network is slower than the video",
      latency_mode_type(), number(LatencyMode::kComplete), kAtStart); },
   [](Settings& s, const GValue* v) { s.latency_mode = static_cast<LatencyMode>(g_value_get_enum(v)); },
   [](const Snapshot& s, GValue* v) { g_value_set_enum(v, number(s.settings.latency_mode)); }},

  {[] { return g_param_spec_uint64("max-latency", "Max latency",
      "With latency-mode=live: how long a frame waits for its result, nanoseconds; 0: not at all", 0, kLongest, 0,
      kAtStart); },
   [](Settings& s, const GValue* v) { s.max_latency_ns = g_value_get_uint64(v); },
   [](const Snapshot& s, GValue* v) { g_value_set_uint64(v, s.settings.max_latency_ns); }},

  {[] { return g_param_spec_boolean("qos", "QoS",
      "Pass frames that are late for downstream without classifying them (status \"skipped\"); never drops one",
      FALSE, kLive); },
   [](Settings& s, const GValue* v) { s.live.qos = g_value_get_boolean(v) != FALSE; },
   [](const Snapshot& s, GValue* v) { g_value_set_boolean(v, s.settings.live.qos); }, kNextFrame},

  {[] { return g_param_spec_uint64("stats-interval", "Statistics interval",
      "Post the statistics as an element message \"tvclassify-stats\" so often while frames pass, nanoseconds; 0: never",
      0, G_MAXUINT64, 0, kLive); },
   [](Settings& s, const GValue* v) { s.live.stats_interval_ns = g_value_get_uint64(v); },
   [](const Snapshot& s, GValue* v) { g_value_set_uint64(v, s.settings.live.stats_interval_ns); }, kNextFrame},

  {[] { return g_param_spec_enum("inference-region", "Inference region", "What is classified",
      inference_region_type(), number(InferenceRegion::kFullFrame), kAtStart); },
   [](Settings& s, const GValue* v) { s.inference_region = static_cast<InferenceRegion>(g_value_get_enum(v)); },
   [](const Snapshot& s, GValue* v) { g_value_set_enum(v, number(s.settings.inference_region)); }},

  {[] { return g_param_spec_string("object-class", "Object class",
      "With inference-region=roi-list: names of the kinds of regions to classify, between commas; empty: all", "", kAtStart); },
   [](Settings& s, const GValue* v) { s.object_class = text_of(v); },
   [](const Snapshot& s, GValue* v) { g_value_set_string(v, s.settings.object_class.c_str()); }},

  {[] { return g_param_spec_uint("min-region-size", "Minimum region size",
      "With inference-region=roi-list: smallest width and height of a region that is classified, pixels", 1, 16384, 1,
      kAtStart); },
   [](Settings& s, const GValue* v) { s.min_region_size = g_value_get_uint(v); },
   [](const Snapshot& s, GValue* v) { g_value_set_uint(v, s.settings.min_region_size); }},

  {[] { return g_param_spec_uint("reclassify-interval", "Reclassify interval",
      "With inference-region=roi-list: classify a tracked object in every n-th frame; in the others its region carries the "
      "last labels with their age in frames", 1, G_MAXUINT, 1, kLive); },
   [](Settings& s, const GValue* v) { s.live.reclassify_interval = g_value_get_uint(v); },
   [](const Snapshot& s, GValue* v) { g_value_set_uint(v, s.settings.live.reclassify_interval); }, kNextFrame},

  {[] { return g_param_spec_enum("smoothing", "Smoothing", "How scores are smoothed over time",
      smoothing_type(), number(SmoothingKind::kNone), kLive); },
   [](Settings& s, const GValue* v) { s.live.smoothing.kind = static_cast<SmoothingKind>(g_value_get_enum(v)); },
   [](const Snapshot& s, GValue* v) { g_value_set_enum(v, number(s.settings.live.smoothing.kind)); }, kNextFrame},

  {[] { return g_param_spec_uint64("smoothing-half-life", "Smoothing half-life",
      "With smoothing=ema: after so long the past weighs half, nanoseconds of stream time, above 0", 0, G_MAXUINT64,
      Smoothing{}.half_life_ns, kLive); },
   [](Settings& s, const GValue* v) { s.live.smoothing.half_life_ns = g_value_get_uint64(v); },
   [](const Snapshot& s, GValue* v) { g_value_set_uint64(v, s.settings.live.smoothing.half_life_ns); }, kNextFrame},

  {[] { return g_param_spec_uint64("smoothing-window", "Smoothing window",
      "With smoothing=majority: how far it looks back, nanoseconds of stream time, above 0", 0, G_MAXUINT64,
      Smoothing{}.window_ns, kLive); },
   [](Settings& s, const GValue* v) { s.live.smoothing.window_ns = g_value_get_uint64(v); },
   [](const Snapshot& s, GValue* v) { g_value_set_uint64(v, s.settings.live.smoothing.window_ns); }, kNextFrame},

  {[] { return g_param_spec_double("class-hysteresis", "Class hysteresis",
      "Post class-changed only when the (smoothed) score of another class is larger by more than this", 0, 1, 0, kLive); },
   [](Settings& s, const GValue* v) { s.live.smoothing.hysteresis = g_value_get_double(v); },
   [](const Snapshot& s, GValue* v) { g_value_set_double(v, s.settings.live.smoothing.hysteresis); }, kNextFrame},

  {[] { return g_param_spec_boxed("categories", "Categories",
      "Names of the classes of the weights that run, or of those set for the next start; index = class", G_TYPE_STRV, kRead); }, nullptr, get_categories},

  {[] { return g_param_spec_boxed("weights-info", "Weights info",
      "All that is known about the weights that run, or that are set for the next start: name, builder, url, sha256, transforms, num_params, min_size, acc@1, acc@5, "
      "recipe, ...; nothing where there is no entry", GST_TYPE_STRUCTURE, kRead); }, nullptr, get_weights_info},

  {[] { return g_param_spec_boxed("available-weights", "Available weights",
      "Every classifier that this version can run, your own last", G_TYPE_STRV, kRead); }, nullptr, get_available},

  {[] { return g_param_spec_boxed("stats", "Statistics",
      "Counters frames-in = ok + gap + skipped + failed + in-flight, flushed, {preprocess,queue,inference,total}-"
      "{last,mean,max,p50,p95,p99} in nanoseconds (of the last 512 pictures), batch-{mean,max,p50,p95,p99} in pictures, "
      "in-flight-{p50,p95,p99} in frames, since the last start; memory of the whole process in bytes", GST_TYPE_STRUCTURE, kRead); }, nullptr, get_stats},
};
// clang-format on

}  // namespace

const Weights* Snapshot::weights() const {
  if (running) return running->weights();
  const Result<Selection> selection = select(settings);
  return selection ? selection->weights : nullptr;
}

std::span<const Property> properties() {
  return kProperties;
}

}  // namespace tv
