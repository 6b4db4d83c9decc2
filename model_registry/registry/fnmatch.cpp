#include "model_registry/registry/fnmatch.hpp"

#include <bitset>
#include <string>
#include <vector>

namespace tv {
namespace {

/// A pattern's item that takes exactly one character.
using CharSet = std::bitset<256>;

/// One step of a compiled pattern: a run of anything, or one character of a set.
struct Item {
  bool star = false;
  CharSet set = {};
};

std::size_t index_of(char c) {
  return static_cast<unsigned char>(c);
}

/// The text between the brackets, as Python reads it: it is cut at the hyphens that make ranges,
/// and an empty range (its first end beyond its last) vanishes together with its two ends. In the
/// result such a hyphen is '\0', so that the other hyphens are plain characters.
std::string without_empty_ranges(std::string_view body) {
  std::vector<std::string> chunks;
  std::size_t begin = 0;
  std::size_t hyphen = body.find('-', body[0] == '!' ? 2 : 1);
  while (hyphen != std::string_view::npos) {
    chunks.emplace_back(body.substr(begin, hyphen - begin));
    begin = hyphen + 1;
    hyphen = body.find('-', hyphen + 3);
  }
  if (begin < body.size())
    chunks.emplace_back(body.substr(begin));
  else
    chunks.back() += '-';  // the last hyphen has nothing to its right
  for (std::size_t k = chunks.size() - 1; k > 0; --k) {
    if (index_of(chunks[k - 1].back()) <= index_of(chunks[k].front())) continue;
    chunks[k - 1].pop_back();
    chunks[k - 1] += chunks[k].substr(1);
    chunks.erase(chunks.begin() + static_cast<std::ptrdiff_t>(k));
  }
  std::string joined;
  for (std::size_t k = 0; k < chunks.size(); ++k)
    joined += (k ? std::string(1, '\0') : "") + chunks[k];
  return joined;
}

/// The set that "[body]" stands for; `body` is not empty.
CharSet parse_set(std::string_view body) {
  std::string text(body);
  if (text.find('\0') != std::string::npos) return {};  // no name holds NUL; it is our mark below
  if (text.find('-') != std::string::npos) text = without_empty_ranges(body);
  CharSet set;
  const bool negated = !text.empty() && text[0] == '!';
  std::size_t i = negated ? 1 : 0;
  while (i < text.size()) {
    const bool range = i + 2 < text.size() && text[i + 1] == '\0' && text[i] != '\0';
    const std::size_t last = index_of(range ? text[i + 2] : text[i] == '\0' ? '-' : text[i]);
    for (std::size_t c = range ? index_of(text[i]) : last; c <= last; ++c) set.set(c);
    i += range ? 3 : 1;
  }
  return negated ? ~set : set;
}

std::vector<Item> compile(std::string_view pattern) {
  std::vector<Item> items;
  std::size_t i = 0;
  while (i < pattern.size()) {
    const char c = pattern[i++];
    Item item;
    if (c == '*') {
      item.star = true;
    } else if (c == '?') {
      item.set.set();
    } else {
      std::size_t close = std::string_view::npos;
      if (c == '[') {
        // A "]" directly behind "[" or "[!" belongs to the set.
        std::size_t from = i;
        if (from < pattern.size() && pattern[from] == '!') ++from;
        close = pattern.find(']', from + 1);
      }
      if (close == std::string_view::npos) {
        item.set.set(index_of(c));  // also a "[" that nothing closes
      } else {
        item.set = parse_set(pattern.substr(i, close - i));
        i = close + 1;
      }
    }
    items.push_back(item);
  }
  return items;
}

}  // namespace

bool fnmatch(std::string_view name, std::string_view pattern) {
  const std::vector<Item> items = compile(pattern);
  // Greedy with one way back: only the latest star can need to take more.
  std::size_t at = 0, item = 0, star = items.size(), star_at = 0;
  while (at < name.size()) {
    if (item < items.size() && items[item].star) {
      star = item++;
      star_at = at;
    } else if (item < items.size() && items[item].set[index_of(name[at])]) {
      ++item;
      ++at;
    } else if (star != items.size()) {
      item = star + 1;
      at = ++star_at;
    } else {
      return false;
    }
  }
  while (item < items.size() && items[item].star) ++item;
  return item == items.size();
}

}  // namespace tv
