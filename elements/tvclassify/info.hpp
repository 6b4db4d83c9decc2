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

/// The fields of docs/element.md, "Statistics".
StructurePtr make_stats(const char* name, const Stats& stats);

}  // namespace tv
