#include "elements/tvclassify/info.hpp"

#include <unistd.h>

#include <array>
#include <fstream>
#include <memory>
#include <variant>

namespace tv {
namespace {

template <typename Texts>
gchar** copy_texts(const Texts& texts) {
  gchar** copy = g_new0(gchar*, texts.size() + 1);
  for (std::size_t i = 0; i < texts.size(); ++i)
    copy[i] = g_strndup(texts[i].data(), texts[i].size());
  return copy;
}

StructurePtr make_nested(const char* name, const MetaMap& map);

/// Sets one field of the structure; one overload for each alternative of MetaValue.
struct FieldSetter {
  GstStructure* structure;
  const char* field;

  void operator()(std::monostate) const {}  // None: no field
  void operator()(std::int64_t number) const { set(G_TYPE_INT64, g_value_set_int64, number); }
  void operator()(double number) const { set(G_TYPE_DOUBLE, g_value_set_double, number); }
  void operator()(std::string_view text) const { set_string(structure, field, text); }
  void operator()(const std::pair<int, int>& size) const {
    Value array(GST_TYPE_ARRAY);
    for (const int side : {size.first, size.second}) {
      Value item(G_TYPE_INT);
      g_value_set_int(item.get(), side);
      item.append_to(array.get());
    }
    array.move_to(structure, field);
  }
  void operator()(std::span<const std::string_view> texts) const {
    set(G_TYPE_STRV, g_value_take_boxed, copy_texts(texts));
  }
  void operator()(const std::shared_ptr<const MetaMap>& map) const {
    if (!map) return;
    set(GST_TYPE_STRUCTURE, g_value_take_boxed, make_nested("meta", *map).release());
  }

 private:
  template <typename Setter, typename T>
  void set(GType type, Setter setter, T content) const {
    Value value(type);
    setter(value.get(), content);
    value.move_to(structure, field);
  }
};

void set_fields(GstStructure* structure, const MetaMap& map) {
  for (const auto& [key, value] : map)
    std::visit(FieldSetter{structure, std::string(key).c_str()}, value);
}

StructurePtr make_nested(const char* name, const MetaMap& map) {
  StructurePtr structure(gst_structure_new_empty(name));
  set_fields(structure.get(), map);
  return structure;
}

void set_doubles(GstStructure* structure, const char* field, const std::array<double, 3>& numbers) {
  Value array(GST_TYPE_ARRAY);
  for (const double number : numbers) {
    Value item(G_TYPE_DOUBLE);
    g_value_set_double(item.get(), number);
    item.append_to(array.get());
  }
  array.move_to(structure, field);
}

StructurePtr make_transforms(const Transforms& recipe) {
  StructurePtr structure(gst_structure_new("transforms", "crop_size", G_TYPE_INT, recipe.crop_size,
                                           "resize_size", G_TYPE_INT, recipe.resize_size,
                                           "antialias", G_TYPE_BOOLEAN,
                                           static_cast<gboolean>(recipe.antialias), nullptr));
  set_string(structure.get(), "interpolation", interpolation_name(recipe.interpolation));
  set_doubles(structure.get(), "mean", recipe.mean);
  set_doubles(structure.get(), "std", recipe.std);
  return structure;
}

struct SampleField {
  const char* suffix;
  std::uint64_t Summary::*value;
};
constexpr SampleField kQuantiles[] = {
    {"-p50", &Summary::p50}, {"-p95", &Summary::p95}, {"-p99", &Summary::p99}};
constexpr SampleField kMoments[] = {
    {"-last", &Summary::last}, {"-mean", &Summary::mean}, {"-max", &Summary::largest}};

void set_samples(GstStructure* structure, const std::string& what, const Samples& samples,
                 std::span<const SampleField> fields) {
  const Summary all = samples.summary();
  for (const auto& [suffix, value] : fields)
    gst_structure_set(structure, (what + suffix).c_str(), G_TYPE_UINT64, all.*value, nullptr);
}

/// Bytes; 0 where the system does not say.
std::uint64_t resident_memory() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t all = 0, resident = 0;
  if (!(file >> all >> resident)) return 0;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

gchar** make_strv(std::span<const std::string_view> texts) {
  return copy_texts(texts);
}
gchar** make_strv(std::span<const std::string> texts) {
  return copy_texts(texts);
}

StructurePtr make_weights_info(const Weights& weights, const Transforms& recipe) {
  StructurePtr info(gst_structure_new_empty("weights-info"));
  set_string(info.get(), "name", weights.name());
  set_string(info.get(), "builder", weights.builder);
  if (!weights.url.empty()) set_string(info.get(), "url", weights.url);
  if (!weights.file.empty()) set_string(info.get(), "file", weights.file);
  if (!weights.sha256.empty()) set_string(info.get(), "sha256", weights.sha256);
  set_fields(info.get(), weights.meta());
  Value transforms(GST_TYPE_STRUCTURE);
  g_value_take_boxed(transforms.get(), make_transforms(recipe).release());
  transforms.move_to(info.get(), "transforms");
  return info;
}

StructurePtr make_stats(const char* name, const Stats& stats) {
  StructurePtr structure(gst_structure_new(
      name, "frames-in", G_TYPE_UINT64, stats.frames_in, "ok", G_TYPE_UINT64,
      stats.count(FrameStatus::kOk), "gap", G_TYPE_UINT64, stats.count(FrameStatus::kGap),
      "skipped", G_TYPE_UINT64, stats.count(FrameStatus::kSkipped), "failed", G_TYPE_UINT64,
      stats.count(FrameStatus::kFailed), "in-flight", G_TYPE_UINT64, stats.in_flight(), "flushed",
      G_TYPE_UINT64, stats.flushed, "batch-max", G_TYPE_UINT64, stats.batch.largest, "batch-mean",
      G_TYPE_DOUBLE, stats.batch.mean(), "memory", G_TYPE_UINT64, resident_memory(), nullptr));
  const std::pair<const char*, const Samples&> durations[] = {{"preprocess", stats.preprocess},
                                                              {"queue", stats.queue},
                                                              {"inference", stats.inference},
                                                              {"total", stats.total}};
  for (const auto& [what, samples] : durations) {
    set_samples(structure.get(), what, samples, kMoments);
    set_samples(structure.get(), what, samples, kQuantiles);
  }
  set_samples(structure.get(), "batch", stats.last_batch, kQuantiles);
  set_samples(structure.get(), "in-flight", stats.inside, kQuantiles);
  return structure;
}

}  // namespace tv
