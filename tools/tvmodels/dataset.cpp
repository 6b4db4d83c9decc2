#include "tools/tvmodels/dataset.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "model_registry/registry/text.hpp"

namespace tv::cli {
namespace {

namespace fs = std::filesystem;
using Categories = std::span<const std::string_view>;

// torchvision.datasets.folder.IMG_EXTENSIONS. TIFF is not decoded, but counts: such a picture is an
// error where leaving it out would change the figure without a word.
constexpr std::array<std::string_view, 9> kExtensions = {".jpg", ".jpeg", ".png",  ".ppm", ".bmp",
                                                         ".pgm", ".tif",  ".tiff", ".webp"};

Error invalid(std::string what, std::string hint = "") {
  return {Code::kInvalidArgument, std::move(what), std::move(hint)};
}

Error unreadable(const fs::path& path, const std::error_code& error) {
  const bool absent = error == std::errc::no_such_file_or_directory;
  return {absent ? Code::kNotFound : Code::kUnreadable, path.string() + ": " + error.message(),
          "check the path"};
}

// Fails where two categories have the name: ImageNet has two cranes.
Result<int> class_of_category(std::string_view name, Categories categories) {
  const auto found = std::find(categories.begin(), categories.end(), name);
  if (found == categories.end())
    return invalid(in_quotes(name) + " is no category of these weights",
                   "tvmodels show --json lists them");
  if (std::find(found + 1, categories.end(), name) != categories.end())
    return invalid(in_quotes(name) + " is the name of two categories", "give its number");
  return static_cast<int>(found - categories.begin());
}

// ---- folders -----------------------------------------------------------------------------------

bool is_picture(const fs::path& path) {
  const std::string extension = fold_case(path.extension().string());
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

Result<std::vector<std::string>> folders_in(const std::string& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error))
    if (std::error_code ignored; entry->is_directory(ignored))
      names.push_back(entry->path().filename().string());
  if (error) return unreadable(path, error);
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::vector<std::string>> pictures_below(const fs::path& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  constexpr auto kFollow = fs::directory_options::follow_directory_symlink;
  for (fs::recursive_directory_iterator entry(folder, kFollow, error), end; !error && entry != end;
       entry.increment(error))
    if (std::error_code ignored; is_picture(entry->path()) && entry->is_regular_file(ignored))
      paths.push_back(entry->path().string());
  if (error) return unreadable(folder, error);
  std::sort(paths.begin(), paths.end());
  return paths;
}

// The class of every folder.
Result<std::vector<int>> classes_of(const std::string& path,
                                    const std::vector<std::string>& folders,
                                    Categories categories) {
  const bool named = std::all_of(folders.begin(), folders.end(), [&](const std::string& name) {
    return std::find(categories.begin(), categories.end(), name) != categories.end();
  });
  std::vector<int> classes;
  if (named) {
    for (const std::string& name : folders) {
      TV_ASSIGN_OR_RETURN(const int label, class_of_category(name, categories));
      classes.push_back(label);
    }
    return classes;
  }
  if (folders.size() != categories.size())
    return invalid(
        path + ": expected a folder for each of the " + std::to_string(categories.size()) +
            " categories, or folders named as categories; found " + std::to_string(folders.size()) +
            " folders, the first is " + in_quotes(folders.front()),
        "or list the pictures in a text file, each with its class");
  for (std::size_t i = 0; i < folders.size(); ++i) classes.push_back(static_cast<int>(i));
  return classes;
}

Result<std::vector<Sample>> read_folder(const std::string& path, Categories categories) {
  TV_ASSIGN_OR_RETURN(const std::vector<std::string> folders, folders_in(path));
  if (folders.empty())
    return invalid(path + ": holds no folder", "put the pictures of each class into one folder");
  TV_ASSIGN_OR_RETURN(const std::vector<int> classes, classes_of(path, folders, categories));
  std::vector<Sample> samples;
  for (std::size_t i = 0; i < folders.size(); ++i) {
    TV_ASSIGN_OR_RETURN(std::vector<std::string> pictures,
                        pictures_below(fs::path(path) / folders[i]));
    for (std::string& picture : pictures) samples.push_back({std::move(picture), classes[i]});
  }
  return samples;
}

// ---- lists -------------------------------------------------------------------------------------

// "path<tab>label" where there is a tab, else "path label" at the last space.
Result<Sample> sample_of(std::string_view line, const fs::path& folder, Categories categories) {
  std::size_t gap = line.rfind('\t');
  const bool tab = gap != std::string_view::npos;
  if (!tab) gap = line.rfind(' ');
  if (gap == std::string_view::npos || gap == 0)
    return invalid("expected a path, a tab, and a class, found " + in_quotes(line));
  const std::string_view text = line.substr(gap + 1);
  Sample sample{(folder / line.substr(0, gap)).string(), 0};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), sample.label);
  if (error != std::errc() || end != text.data() + text.size()) {
    if (!tab) return invalid("expected the number of a class at the end of " + in_quotes(line));
    TV_ASSIGN_OR_RETURN(sample.label, class_of_category(text, categories));
  }
  if (sample.label < 0 || static_cast<std::size_t>(sample.label) >= categories.size())
    return invalid("expected a class from 0 to " + std::to_string(categories.size() - 1) +
                   ", found " + std::string(text));
  return sample;
}

Result<std::vector<Sample>> read_list(const std::string& path, Categories categories) {
  std::ifstream file(path);
  std::vector<Sample> samples;
  const fs::path folder = fs::path(path).parent_path();
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty()) continue;
    auto sample = sample_of(line, folder, categories);
    if (!sample) {
      sample.error().what = path + ", line " + std::to_string(number) + ": " + sample.error().what;
      return sample.error();
    }
    samples.push_back(std::move(*sample));
  }
  if (!file.eof()) return Error{Code::kUnreadable, path + ": cannot be read", "check the file"};
  return samples;
}

}  // namespace

Result<std::vector<Sample>> read_dataset(const std::string& path, Categories categories) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) return unreadable(path, error);
  auto samples =
      fs::is_directory(status) ? read_folder(path, categories) : read_list(path, categories);
  if (samples && samples->empty())
    return invalid(path + ": holds no picture", "expected files such as *.jpg, *.jpeg and *.png");
  return samples;
}

}  // namespace tv::cli
