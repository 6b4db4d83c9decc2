// Text from outside, fit for a message: UTF-8, one line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tv::io {

inline constexpr std::uint32_t kInvalidPoint = 0xffffffff;

/// The code point at the beginning of `text` (not empty) and its length in bytes; kInvalidPoint and
/// 1 where there is none (overlong forms, surrogates and values beyond U+10FFFF are none).
std::uint32_t decode_utf8(std::string_view text, std::size_t& length);
bool valid_utf8(std::string_view text);

/// Fit for a message of one line: control characters and bytes that are not UTF-8 become \xNN.
std::string printable(std::string_view text);
/// printable() in double quotes, cut after 80 bytes, with quotes and backslashes escaped too.
std::string quoted(std::string_view text);

}  // namespace tv::io
