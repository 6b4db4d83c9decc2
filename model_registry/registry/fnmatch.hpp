// Shell patterns with the meaning that Python's fnmatch gives them; POSIX fnmatch(3) differs in
// "[^", "\" and ranges.
#pragma once

#include <string_view>

namespace tv {

/// Python's fnmatch.fnmatchcase(name, pattern) for ASCII names: `*` any run, `?` one character,
/// `[seq]` one of a set with ranges, `[!seq]` one outside it; everything else, `\` included, stands
/// for itself. Time is at most proportional to the product of the lengths.
bool fnmatch(std::string_view name, std::string_view pattern);

}  // namespace tv
