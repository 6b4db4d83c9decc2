// Pairs of property values that make no sense together.
#pragma once

#include <span>

#include "elements/tvclassify/settings.hpp"
#include "model_registry/error.hpp"

namespace tv {

/// Two properties, and when their values contradict each other.
struct Contradiction {
  const char* first;
  const char* second;
  bool (*holds)(const Settings&);
  const char* why;
  const char* hint;
  const char* example;  ///< settings of which it holds and none before it, as gst-launch takes them
};

/// The table, in the order in which it is judged.
std::span<const Contradiction> contradictions();

/// Fails: InvalidArgument, for the first contradiction: both names, and what to do.
Status check_contradictions(const Settings& settings);

}  // namespace tv
