#include "model_registry/registry/text.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace tv {
namespace {

constexpr std::size_t kQuotedBytes = 120;
constexpr std::uint32_t kInvalid = 0xffffffff;

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// The code point at the beginning of `text` (not empty) and its length in bytes; kInvalid and 1
/// where there is none (overlong forms, surrogates and values beyond U+10FFFF are none).
std::uint32_t decode(std::string_view text, std::size_t& length) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  length = 1;
  const std::uint32_t first = byte(0);
  if (first < 0x80) return first;
  const std::size_t want = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < want) return kInvalid;
  std::uint32_t point = first & (0xffu >> (want + 1));
  for (std::size_t i = 1; i < want; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return kInvalid;
    point = point << 6 | (byte(i) & 0x3fu);
  }
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (point < kLeast[want] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
    return kInvalid;
  length = want;
  return point;
}

constexpr bool is_control(std::uint32_t point) {
  return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x2028 || point == 0x2029;
}

}  // namespace

std::string fold_case(std::string_view text) {
  std::string folded(text);
  std::transform(folded.begin(), folded.end(), folded.begin(), lower);
  return folded;
}

bool equal_folded(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

std::string in_quotes(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  while (!text.empty()) {
    if (out.size() > kQuotedBytes) return out + "...\"";
    std::size_t length = 1;
    const std::uint32_t point = decode(text, length);
    const bool plain = point != kInvalid && !is_control(point) && point != '"' && point != '\\';
    if (plain) {
      out += text.substr(0, length);
    } else {
      for (const char c : text.substr(0, length)) {
        const auto byte = static_cast<unsigned char>(c);
        out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
      }
    }
    text.remove_prefix(length);
  }
  return out + "\"";
}

const char* text_fault(std::string_view text) {
  while (!text.empty()) {
    std::size_t length = 1;
    const std::uint32_t point = decode(text, length);
    if (point == kInvalid) return "bytes that are not UTF-8";
    if (is_control(point)) return "a control character";
    text.remove_prefix(length);
  }
  return nullptr;
}

int typing_distance(std::string_view typed, std::string_view name) {
  constexpr int kEdit = 4;
  constexpr int kCompletion = 1;
  // Rows of the usual dynamic programme: row[j] = cost of turning the first i typed letters into
  // the first j of name.
  const std::size_t width = name.size() + 1;
  std::vector<int> before(width), last(width), row(width);
  for (std::size_t j = 0; j < width; ++j) row[j] = static_cast<int>(j) * kEdit;
  for (std::size_t i = 1; i <= typed.size(); ++i) {
    std::swap(before, last);
    std::swap(last, row);
    row[0] = static_cast<int>(i) * kEdit;
    for (std::size_t j = 1; j < width; ++j) {
      const bool same = lower(typed[i - 1]) == lower(name[j - 1]);
      row[j] = std::min({last[j - 1] + (same ? 0 : kEdit), last[j] + kEdit, row[j - 1] + kEdit});
      const bool swapped = i > 1 && j > 1 && lower(typed[i - 1]) == lower(name[j - 2]) &&
                           lower(typed[i - 2]) == lower(name[j - 1]);
      if (swapped) row[j] = std::min(row[j], before[j - 2] + kEdit);
    }
  }
  int best = row[width - 1];
  for (std::size_t j = 0; j < width; ++j)
    best = std::min(best, row[j] + static_cast<int>(width - 1 - j) * kCompletion);
  return best;
}

}  // namespace tv
