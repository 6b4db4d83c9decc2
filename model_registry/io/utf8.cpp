#include "model_registry/io/utf8.hpp"

namespace tv::io {
namespace {

// `special` characters get a backslash.
std::string escaped(std::string_view text, std::string_view special) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text[0]);
    std::size_t length = 1;
    if (decode_utf8(text, length) == kInvalidPoint || c < 0x20 || c == 0x7F) {
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

std::uint32_t decode_utf8(std::string_view text, std::size_t& length) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  length = 1;
  const std::uint32_t first = byte(0);
  if (first < 0x80) return first;
  const std::size_t want = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < want) return kInvalidPoint;
  std::uint32_t point = first & (0xffu >> (want + 1));
  for (std::size_t i = 1; i < want; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return kInvalidPoint;
    point = point << 6 | (byte(i) & 0x3fu);
  }
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (point < kLeast[want] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
    return kInvalidPoint;
  length = want;
  return point;
}

bool valid_utf8(std::string_view text) {
  while (!text.empty()) {
    std::size_t length = 1;
    if (decode_utf8(text, length) == kInvalidPoint) return false;
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

}  // namespace tv::io
