#include "model_registry/checkpoint/fault.hpp"

#include "model_registry/checkpoint/budget.hpp"

namespace tv::checkpoint {
namespace {

std::string place_text(const Place& place) {
  std::string text = printable(place.path);
  if (!place.record.empty()) {
    text += ": ";
    text += place.record;
  }
  return text;
}

}  // namespace

Error refuse(const Place& place, std::uint64_t offset, std::string_view what,
             std::string_view hint) {
  std::string text = place_text(place) + (place.record.empty() ? ": offset " : ", offset ") +
                     std::to_string(place.base + offset) + ": ";
  text += what;
  return {Code::kBadCheckpoint, std::move(text), std::string(hint)};
}

Error refuse_named(const Place& place, std::string_view name, std::string_view what,
                   std::string_view hint) {
  std::string text = place_text(place) + (place.record.empty() ? ": " : ", ");
  text += name;
  text += ": ";
  text += what;
  return {Code::kBadCheckpoint, std::move(text), std::string(hint)};
}

Error over_budget(const Place& place, std::uint64_t offset) {
  return refuse(place, offset,
                "reading this would need more than " + std::to_string(kMaxExtraBytes >> 20) +
                    " MiB beyond the file's own size",
                "no state dict of a network needs that: the file is hostile, or holds more than "
                "weights");
}

}  // namespace tv::checkpoint
