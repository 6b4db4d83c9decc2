// How a refusal reads: "x.pth: data.pkl, offset 12: refused global "os.system"".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model_registry/error.hpp"
#include "model_registry/io/utf8.hpp"

namespace tv::checkpoint {

/// Where the bytes being read come from. Views outlive the reading.
struct Place {
  std::string_view path;
  std::string_view
      record;  ///< "data.pkl", "zip directory", "object pickle"; empty: the file as a whole
  std::uint64_t base =
      0;  ///< added to offsets: where the record starts in what people will look at
};

inline constexpr std::string_view kPlainDataHint =
    "only tensors, numbers, strings and ordered dicts are read";
inline constexpr std::string_view kSavedModuleHint =
    "the file holds a whole Python model: save model.state_dict() instead";
inline constexpr std::string_view kDamagedHint =
    "the file is damaged or was not written by torch.save: fetch or save it again";

/// A BadCheckpoint error at a byte offset.
Error refuse(const Place& place, std::uint64_t offset, std::string_view what,
             std::string_view hint = kDamagedHint);
/// A BadCheckpoint error about something named rather than at an offset.
Error refuse_named(const Place& place, std::string_view name, std::string_view what,
                   std::string_view hint = kDamagedHint);
/// What to say when Budget::charge() fails.
Error over_budget(const Place& place, std::uint64_t offset);

using io::printable, io::quoted, io::valid_utf8;

}  // namespace tv::checkpoint
