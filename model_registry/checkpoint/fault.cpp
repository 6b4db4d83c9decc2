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

// Length of the valid UTF-8 sequence that starts at text[0], or 0.
std::size_t utf8_length(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = at(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((at(i) & 0xC0) != 0x80) return 0;
  // Overlong forms, surrogates, and what lies beyond U+10FFFF.
  if (lead == 0xE0 && at(1) < 0xA0) return 0;
  if (lead == 0xED && at(1) > 0x9F) return 0;
  if (lead == 0xF0 && at(1) < 0x90) return 0;
  if (lead == 0xF4 && at(1) > 0x8F) return 0;
  return length;
}

// `special` characters get a backslash.
std::string escaped(std::string_view text, std::string_view special) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text[0]);
    const std::size_t length = utf8_length(text);
    if (length == 0 || c < 0x20 || c == 0x7F) {
      out += "\\x";
      out += kHex[c >> 4];
      out += kHex[c & 15];
      text.remove_prefix(1);
      continue;
    }
    if (special.find(text[0]) != special.npos) out += '\\';
    out += text.substr(0, length);
    text.remove_prefix(length);
  }
  return out;
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

bool valid_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string printable(std::string_view text) {
  return escaped(text, "");
}

std::string quoted(std::string_view text) {
  constexpr std::size_t kMax = 80;
  const bool cut = text.size() > kMax;
  return "\"" + escaped(text.substr(0, kMax), "\"\\") + (cut ? "\"..." : "\"");
}

}  // namespace tv::checkpoint
