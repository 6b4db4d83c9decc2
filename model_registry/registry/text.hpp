// Small things about text that the registry's files share: letter case, safe quoting, UTF-8, names
// that resemble one another.
#pragma once

#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace tv {

/// ASCII letters in lower case, every other byte as it is; independent of the locale.
std::string fold_case(std::string_view text);
bool equal_folded(std::string_view a, std::string_view b);

/// `text` between double quotes, fit for an error of one line: control characters, quotes,
/// backslashes and bytes that are no UTF-8 appear as \xNN, and what exceeds 120 bytes is cut and
/// marked "...".
std::string in_quotes(std::string_view text);

/// nullptr when `text` is UTF-8 without control characters (C0, DEL, C1, line and paragraph
/// separators), else what it holds: "a control character" or "bytes that are not UTF-8".
const char* text_fault(std::string_view text);

/// How far `typed` is from `name`, both as fold_case() gives them: 4 for each letter that must be
/// replaced, inserted, removed or swapped with its neighbour, and 1 for each letter of `name` that
/// follows after the last typed one (people stop early more often than they mistype). 0 = equal.
/// Where it is at least `enough`, the answer may be any number from `enough` up: that is known
/// sooner.
int typing_distance(std::string_view typed, std::string_view name,
                    int enough = std::numeric_limits<int>::max());

/// The `count` of `names` that are nearest to `typed` by typing_distance(), letter case aside; best
/// first, of equals the first of `names`. None where `typed` exceeds 256 bytes: a search would take
/// long and find nothing that helps.
std::vector<std::string> nearest_names(std::string_view typed,
                                       const std::vector<std::string>& names, std::size_t count);

/// "a, b, c"
std::string join(const std::vector<std::string>& names);

}  // namespace tv
