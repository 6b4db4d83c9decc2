// Entries that a user defines in JSON files; docs/user-weights.md describes the file.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model_registry/error.hpp"
#include "model_registry/registry/weights.hpp"

namespace tv {

/// What a set of files added. Copies share the text that the entries point to.
struct UserWeights {
  std::vector<Weights> entries;  ///< in reading order; every one is valid
  std::vector<Error> errors;     ///< one a file (or path) that added nothing
  std::shared_ptr<const void> storage;
};

/// Where entries are looked for, the more explicit first: the parts of TV_WEIGHTS_PATH between its
/// colons, then $XDG_DATA_HOME/gst-torchvision/weights (default ~/.local/share/...) if that folder
/// exists. The arguments are the values of TV_WEIGHTS_PATH, XDG_DATA_HOME and HOME; nullptr = not
/// set.
std::vector<std::string> user_weights_paths(const char* weights_path, const char* data_home,
                                            const char* home);

/// Reads entries from files, and from the *.json files directly inside folders (in the order of
/// their names; hidden ones are passed over). A file met twice is read once. Never fails as a
/// whole: see UserWeights::errors. Reads files, touches no state of the process.
UserWeights load_user_weights(std::span<const std::string> paths);

}  // namespace tv
