#include "model_registry/registry/user_weights.hpp"

#include <algorithm>
#include <deque>
#include <set>
#include <string_view>
#include <utility>

#include "model_registry/registry/builtin.hpp"
#include "model_registry/registry/text.hpp"
#include "model_registry/registry/user_entry.hpp"
#include "model_registry/registry/user_files.hpp"

namespace tv {
namespace {

constexpr std::size_t kLargestEntryFile = 1u << 20;
constexpr std::string_view kFolder = "gst-torchvision/weights";

/// Owns the text of user-defined entries; what it returns stays where it is.
class Storage {
 public:
  std::string_view keep(std::string text) { return texts_.emplace_back(std::move(text)); }
  std::span<const std::string_view> keep(std::vector<std::string> labels) {
    std::vector<std::string_view> views;
    for (std::string& label : labels) views.push_back(keep(std::move(label)));
    return lists_.emplace_back(std::move(views));
  }

 private:
  std::deque<std::string> texts_;
  std::deque<std::vector<std::string_view>> lists_;
};

/// Gathers entries and refuses those that contradict torchvision's or earlier ones.
class Loader {
 public:
  void load_path(const std::string& path) {
    auto files = expand_json_path(path);
    if (!files) {
      files.error().hint = "TV_WEIGHTS_PATH lists files and folders with entries of weights";
      return errors_.push_back(files.error());
    }
    for (const std::string& file : *files) {
      if (!seen_.insert(file_identity(file)).second) continue;
      if (Status status = load_file(file); !status) errors_.push_back(status.error());
    }
  }

  UserWeights finish() && {
    choose_defaults();
    return {{entries_.begin(), entries_.end()}, std::move(errors_), std::move(storage_)};
  }

 private:
  Status load_file(const std::string& file) {
    const std::string path = absolute_path("", file);
    TV_ASSIGN_OR_RETURN(const std::string text, read_small_file(path, kLargestEntryFile));
    TV_ASSIGN_OR_RETURN(UserEntry entry, parse_user_entry(path, text));
    TV_RETURN_IF_ERROR(check_enum(path, entry));
    TV_RETURN_IF_ERROR(check_names(path, entry));
    TV_RETURN_IF_ERROR(check_cached_file(path, entry));
    add(std::move(entry));
    return {};
  }

  /// An enum belongs to one builder; torchvision's keep their own DEFAULT.
  Status check_enum(const std::string& path, const UserEntry& entry) const {
    for (const Weights* known : known_) {
      if (!equal_folded(known->enum_name, entry.enum_name)) continue;
      if (known->enum_name != entry.enum_name) {
        return entry_error(path, "enum", "a name that differs from others by more than letter case",
                           in_quotes(entry.enum_name) + " beside " + in_quotes(known->enum_name));
      }
      if (known->builder != entry.base->builder) {
        return entry_error(
            path, "builder",
            std::string(known->builder) + ", to which " + entry.enum_name + " belongs",
            std::string(entry.base->builder));
      }
      if (entry.is_default && !known->user_defined) {
        return entry_error(path, "default", "false in an enum of torchvision's", "true");
      }
      if (entry.is_default && known->is_default) {
        return entry_error(path, "default", "one default in an enum",
                           "a second one beside " + known->name());
      }
    }
    return {};
  }

  Status check_names(const std::string& path, const UserEntry& entry) const {
    for (const Weights* known : known_) {
      if (known->enum_name != entry.enum_name || !equal_folded(known->entry, entry.entry)) continue;
      const char* whose = known->user_defined ? "an entry already defined" : "one of torchvision's";
      return entry_error(path, "entry", "a new name in " + entry.enum_name,
                         in_quotes(entry.entry) + ", " + whose);
    }
    return {};
  }

  /// Two downloads of one file name would push each other out of the cache.
  Status check_cached_file(const std::string& path, const UserEntry& entry) const {
    if (entry.url.empty()) return {};
    Weights candidate;
    candidate.url = entry.url;
    for (const Weights* known : known_) {
      if (known->url.empty() || known->file_name() != candidate.file_name()) continue;
      if (std::string_view(entry.sha256).starts_with(known->sha256)) continue;
      return entry_error(path, "url", "a file name that the cache does not hold for other weights",
                         in_quotes(candidate.file_name()) + ", which is " + known->name() + "'s");
    }
    return {};
  }

  void add(UserEntry entry) {
    Weights row;
    const Weights& base = *entry.base;
    row.enum_name = storage_->keep(std::move(entry.enum_name));
    row.entry = storage_->keep(std::move(entry.entry));
    row.builder = base.builder;
    row.architecture = base.architecture;
    row.is_default = entry.is_default;
    row.url = storage_->keep(std::move(entry.url));
    row.file = storage_->keep(std::move(entry.file));
    row.sha256 = storage_->keep(std::move(entry.sha256));
    row.preset = entry.preset;
    row.categories =
        entry.categories ? storage_->keep(std::move(*entry.categories)) : base.categories;
    // Such a network is built for the size that its frames are cut to: it takes no other.
    row.min_size = takes_one_size(base) ? row.preset.crop_size : base.min_size;
    if (!entry.dataset.empty()) row.dataset = storage_->keep(std::move(entry.dataset));
    row.acc1 = entry.acc1;
    row.acc5 = entry.acc5;
    row.recipe = storage_->keep(std::move(entry.recipe));
    row.license = storage_->keep(std::move(entry.license));
    row.backend = base.backend;
    row.user_defined = true;
    known_.push_back(&entries_.emplace_back(row));
  }

  /// The first entry of a new enum is its default where none says so.
  void choose_defaults() {
    std::set<std::string_view> decided;
    for (const Weights* known : known_)
      if (known->is_default) decided.insert(known->enum_name);
    for (Weights& row : entries_)
      if (decided.insert(row.enum_name).second) row.is_default = true;
  }

  std::shared_ptr<Storage> storage_ = std::make_shared<Storage>();
  std::deque<Weights> entries_;
  std::vector<const Weights*> known_{builtin_weights().begin(), builtin_weights().end()};
  std::vector<Error> errors_;
  std::set<std::string> seen_;
};

}  // namespace

std::vector<std::string> user_weights_paths(const char* weights_path, const char* data_home,
                                            const char* home) {
  std::vector<std::string> paths;
  std::string_view rest = weights_path ? weights_path : "";
  while (!rest.empty()) {
    const auto colon = rest.find(':');
    if (colon != 0) paths.emplace_back(rest.substr(0, colon));
    rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
  }
  // A relative XDG_DATA_HOME is invalid and is passed over, as its specification asks.
  std::string folder;
  if (data_home && data_home[0] == '/')
    folder = absolute_path(data_home, std::string(kFolder));
  else if (home && home[0] == '/')
    folder = absolute_path(home, ".local/share/" + std::string(kFolder));
  if (!folder.empty() && path_exists(folder)) paths.push_back(folder);
  return paths;
}

UserWeights load_user_weights(std::span<const std::string> paths) {
  Loader loader;
  for (const std::string& path : paths) loader.load_path(path);
  return std::move(loader).finish();
}

}  // namespace tv
