// Labelled pictures on disk.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model_registry/error.hpp"

namespace tv::cli {

struct Sample {
  std::string path;
  int label = 0;  ///< class, 0..categories - 1
};

/// Reads what `path` is:
/// - a folder with one folder of pictures a class, as torchvision.datasets.ImageFolder: folders
///   named as the categories mean these; otherwise there must be as many folders as categories,
///   and the n-th in order of their names is class n. Pictures are found by ImageFolder's file
///   extensions, at any depth, and sorted.
/// - a text file with a line for each picture: its path, relative to the text file, then a tab or a
///   space, then the class as a number or (after a tab) as a category. Empty lines are skipped.
/// Fails: NotFound, Unreadable, InvalidArgument (a class that is none, no picture), each with the
/// folder or the line.
Result<std::vector<Sample>> read_dataset(const std::string& path,
                                         std::span<const std::string_view> categories);

}  // namespace tv::cli
