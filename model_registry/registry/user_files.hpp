// Careful reading of small files that somebody else may have written.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "model_registry/error.hpp"

namespace tv {

/// The bytes of a regular file (or a link to one) of at most `limit` bytes; never waits for a pipe
/// or a device. Fails: NotFound, Unreadable, InvalidArgument (too large).
Result<std::string> read_small_file(const std::string& path, std::size_t limit);

/// What `path` stands for: itself if it is no folder, otherwise the *.json files directly inside it
/// that are not hidden, sorted by name. Fails: NotFound, Unreadable, InvalidArgument (more than 10
/// 000 files).
Result<std::vector<std::string>> expand_json_path(const std::string& path);

bool path_exists(const std::string& path);

/// `path` without ".", ".." and doubled slashes, and absolute: a relative one begins in `folder`.
std::string absolute_path(const std::string& folder, const std::string& path);

/// The folder that a file lies in, by its name alone.
std::string parent_folder(const std::string& path);

/// A name for the file itself, the same for every path (links included) that leads to it.
std::string file_identity(const std::string& path);

}  // namespace tv
