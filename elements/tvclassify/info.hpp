// What the registry knows, as GLib values for the read-only properties.
#pragma once

#include <gst/gst.h>

#include <span>
#include <string>
#include <string_view>

#include "elements/common/gst_ptr.hpp"
#include "elements/tvclassify/result.hpp"
#include "model_registry/registry/weights.hpp"

namespace tv {

/// A null-terminated copy (GStrv), for g_value_take_boxed().
gchar** make_strv(std::span<const std::string_view> texts);
gchar** make_strv(std::span<const std::string> texts);

/// Structure "weights-info": name, builder, url or file, sha256, `recipe` as
/// "transforms", and every key of Weights::meta(), nested mappings as structures, sizes as arrays
/// of int (height, width), None left out.
StructurePtr make_weights_info(const Weights& weights, const Transforms& recipe);

/// frames-in, ok, gap, skipped, failed, in-flight, flushed (guint64); for preprocess, queue,
/// inference and total each X-last, X-mean, X-max, X-p50, X-p95, X-p99 (guint64, nanoseconds, of
/// the last 512 pictures); batch-mean, batch-max (double, guint64, pictures); memory (guint64,
/// bytes of the process in memory).
StructurePtr make_stats(const char* name, const Stats& stats);

}  // namespace tv
