// The element's properties, one row each.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <optional>
#include <span>

#include "elements/tvclassify/choice.hpp"
#include "elements/tvclassify/result.hpp"
#include "elements/tvclassify/settings.hpp"

namespace tv {

/// What a getter sees: a copy.
struct Snapshot {
  Settings settings;
  Stats stats;
  std::optional<Choice> running;  ///< from start to stop; settings may speak of the next start

  /// The entry that runs, or else the one that is set; nullptr: none, or its name is unknown.
  const Weights* weights() const;
};

struct Property {
  GParamSpec* (*make)();
  void (*set)(Settings&, const GValue*);  ///< nullptr: read-only
  void (*get)(const Snapshot&, GValue*);
  /// When a value that is set while running acts.
  enum class Effect : std::uint8_t {
    kNextStart,
    kNextFrame,
    kNewModel,  ///< when the model that it asks for has been loaded
  } effect = Effect::kNextStart;
};

/// The id of a property is its index in the table + 1.
std::span<const Property> properties();

}  // namespace tv
