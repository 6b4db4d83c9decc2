#include "model_registry/hub/fetch.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "model_registry/hub/download.hpp"
#include "model_registry/hub/temp_file.hpp"

namespace tv::hub {
namespace {

constexpr std::size_t kSha256Digits = 64;

// What every message about one entry needs.
struct Entry {
  const Weights& weights;
  std::string name;    // "ResNet18_Weights.IMAGENET1K_V1"
  std::string url;     // as downloaded
  std::string folder;  // of the cache
  std::string file;    // name in it
  std::string path;    // folder/file

  std::string expected() const {
    if (weights.sha256.empty()) return "any sha256";
    return (weights.sha256.size() == kSha256Digits ? "sha256 " : "sha256 beginning with ") +
           std::string(weights.sha256);
  }
  std::string by_hand() const {
    return "the file can be put by hand at " + path + ", expected " + expected();
  }
};

Result<FileBytes> read_whole(const std::string& path, const FetchOptions& options) {
  return read_file(path, kLargestFile, [&] { return options.is_cancelled(); });
}

Error cancelled_error(const Entry& entry) {
  return {Code::kCancelled, "fetching " + entry.name + " was cancelled", ""};
}

// "12 bytes with sha256 ab..., expected sha256 cd..."
std::string digest_text(const Entry& entry, std::uint64_t size, const std::string& sha256) {
  return std::to_string(size) + " bytes with sha256 " + sha256 + ", expected " + entry.expected();
}

Error download_error(const Entry& entry, Error cause, int attempts) {
  if (cause.code == Code::kCancelled) return cancelled_error(entry);
  cause.what =
      "cannot download " + entry.name + " from " + printable_url(entry.url) + ": " + cause.what;
  if (attempts > 1) cause.what += " (" + std::to_string(attempts) + " attempts)";
  cause.hint = (cause.hint.empty() ? "" : cause.hint + "; ") + entry.by_hand();
  return cause;
}

std::uint64_t size_bound(const Weights& weights, const Limits& limits) {
  if (!(weights.file_size_mib > 0)) return limits.size_unlisted;
  return static_cast<std::uint64_t>(std::ceil(weights.file_size_mib * 1048576)) +
         limits.size_tolerance;
}

// Waits; true when cancelled meanwhile.
bool back_off(std::chrono::milliseconds time, const FetchOptions& options) {
  const auto end = std::chrono::steady_clock::now() + time;
  constexpr std::chrono::milliseconds kSlice{20};
  for (auto now = end - time; now < end; now = std::chrono::steady_clock::now()) {
    if (options.is_cancelled()) return true;
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(end - now, kSlice));
  }
  return options.is_cancelled();
}

// One attempt: a fresh temporary file, hashed while written, read back, given its name. The bytes
// returned are those that were read back, so nothing that happens to the file afterwards concerns
// the caller.
std::optional<DownloadFailure> attempt(const Entry& entry, const io::Descriptor& folder,
                                       const Limits& limits, const FetchOptions& options,
                                       FileBytes& out) {
  Result<TempFile> created = TempFile::create(folder, entry.folder);
  if (!created) return DownloadFailure{std::move(created.error()), false};
  TempFile& temp = *created;
  const Sink sink = [&](std::span<const std::byte> bytes) { return temp.write(bytes); };
  if (auto failure = download(entry.url, size_bound(entry.weights, limits), limits, options, sink))
    return failure;
  const std::string streamed = temp.sha256();
  if (temp.size() == 0 || streamed.empty() || !digest_matches(streamed, entry.weights.sha256))
    return DownloadFailure{
        {Code::kBadDigest, "found " + digest_text(entry, temp.size(), streamed), ""}, false};
  if (Status status = temp.sync(); !status)
    return DownloadFailure{std::move(status.error()), false};
  Result<FileBytes> bytes = read_whole(temp.path(), options);
  if (!bytes) return DownloadFailure{std::move(bytes.error()), false};
  if (bytes->sha256 != streamed)
    return DownloadFailure{{Code::kUnreadable,
                            "the disk returned other bytes than were written: found " +
                                digest_text(entry, bytes->size, bytes->sha256),
                            ""},
                           false};
  if (Status status = temp.publish(entry.file); !status)
    return DownloadFailure{std::move(status.error()), false};
  out = std::move(*bytes);
  out.path = entry.path;
  return std::nullopt;
}

Result<FileBytes> download_to_cache(const Entry& entry, const FetchOptions& options,
                                    const Limits& limits) {
  Result<io::Descriptor> folder = open_cache_folder(entry.folder, limits);
  if (!folder) return download_error(entry, std::move(folder.error()), 1);
  std::chrono::milliseconds wait = limits.first_back_off;
  for (int number = 1;; ++number, wait *= 2) {
    FileBytes bytes;
    std::optional<DownloadFailure> failure = attempt(entry, *folder, limits, options, bytes);
    if (!failure) return bytes;
    if (!failure->transient || number >= limits.attempts)
      return download_error(entry, std::move(failure->error), number);
    if (back_off(wait, options)) return cancelled_error(entry);
  }
}

// Which file is at a path now; another process may put a good one there at any moment.
struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;
  bool empty = false;  // a regular file without a byte, as a crash or a full disk leaves it
  bool operator==(const FileIdentity&) const = default;
};
std::optional<FileIdentity> identity(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) return std::nullopt;
  return FileIdentity{info.st_dev, info.st_ino, S_ISREG(info.st_mode) && info.st_size == 0};
}

// The cached file: verified bytes; nothing when there is none, or a wrong one which has been set
// aside (`note` says so then).
Result<std::optional<FileBytes>> read_cached(const Entry& entry, const FetchOptions& options,
                                             std::string& note) {
  constexpr int kTries = 3;  // a file that is replaced while we look at it is looked at again
  for (int number = 0; number < kTries; ++number) {
    const std::optional<FileIdentity> before = identity(entry.path);
    if (!before) return std::optional<FileBytes>();
    Result<FileBytes> bytes = read_whole(entry.path, options);
    if (bytes && digest_matches(bytes->sha256, entry.weights.sha256))
      return std::optional<FileBytes>(std::move(*bytes));
    if (!bytes && bytes.error().code == Code::kCancelled) return cancelled_error(entry);
    if (!bytes && bytes.error().code == Code::kNotFound) continue;
    if (!bytes && !before->empty) {
      Error error = std::move(bytes.error());
      error.hint = "remove it, or make it readable; " + entry.by_hand();
      return error;
    }
    if (identity(entry.path) != before) continue;
    const std::string found = bytes ? digest_text(entry, bytes->size, bytes->sha256)
                                    : "no bytes, expected " + entry.expected();
    if (rename(entry.path.c_str(), (entry.path + ".bad").c_str()) == 0) {
      note = "the file that was there had " + found + " and is " + entry.file + ".bad now";
      return std::optional<FileBytes>();
    }
    return Error{Code::kBadDigest,
                 entry.path + " has " + found +
                     " and cannot be renamed: " + std::generic_category().message(errno),
                 "replace it with the file of " + entry.name + " from " + printable_url(entry.url)};
  }
  return std::optional<FileBytes>();
}

// A user-defined entry's own file is used where it lies and never touched.
Result<FileBytes> read_local(const Weights& weights, const FetchOptions& options) {
  Result<FileBytes> bytes = read_whole(std::string(weights.file), options);
  if (!bytes) {
    bytes.error().what = weights.name() + ": " + bytes.error().what;
    return bytes;
  }
  if (digest_matches(bytes->sha256, weights.sha256)) return bytes;
  return Error{Code::kBadDigest,
               weights.name() + ": " + bytes->path + " has " + std::to_string(bytes->size) +
                   " bytes with sha256 " + bytes->sha256 + ", expected sha256 " +
                   std::string(weights.sha256),
               "put the right file there, or correct the entry's sha256"};
}

// The name becomes a path component: nothing that could lead out of the folder or that a listing
// cannot show.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.size() <= 250 &&
         std::none_of(name.begin(), name.end(),
                      [](unsigned char c) { return c == '/' || c < 0x20 || c == 0x7f; });
}

Result<Entry> make_entry(const Weights& weights) {
  Entry entry{weights,
              weights.name(),
              std::string(weights.url),
              cache_dir(),
              std::string(weights.file_name()),
              ""};
  constexpr std::string_view kScheme = "https://";
  if (!entry.url.starts_with(kScheme))
    return Error{
        Code::kInvalidArgument,
        entry.name + ": the url \"" + printable_url(entry.url) + "\" is not an https address",
        "only https is fetched; use \"file\" for a local file"};
  const std::size_t host_end = entry.url.find_first_of("/?#", kScheme.size());
  if (host_end == std::string::npos || entry.url[host_end] != '/' || !is_plain_name(entry.file))
    return Error{
        Code::kInvalidArgument,
        entry.name + ": the url " + printable_url(entry.url) + " does not end in a file name", ""};
  if (entry.folder.empty())
    return Error{Code::kUnwritable,
                 entry.name + ": there is no cache folder, for the user has no home folder",
                 "set TORCH_HOME to a folder that you can write to"};
  entry.path = entry.folder + "/" + entry.file;
  return entry;
}

}  // namespace

Result<FileBytes> fetch(const Weights& weights, const FetchOptions& options, const Limits& limits) {
  if (!weights.file.empty()) return read_local(weights, options);
  TV_ASSIGN_OR_RETURN(const Entry entry, make_entry(weights));
  if (options.is_cancelled()) return cancelled_error(entry);
  if (Status folder = check_cache_folder(entry.folder); !folder) {
    folder.error().what = "cannot fetch " + entry.name + ": " + folder.error().what;
    return std::move(folder.error());
  }
  std::string note;
  TV_ASSIGN_OR_RETURN(std::optional<FileBytes> cached, read_cached(entry, options, note));
  if (cached) return std::move(*cached);
  Result<FileBytes> fetched =
      options.offline
          ? Result<FileBytes>(Error{
                note.empty() ? Code::kNotFound : Code::kBadDigest,
                entry.name + " is not in the cache and downloads are switched off; its url is " +
                    printable_url(entry.url),
                entry.by_hand()})
          : download_to_cache(entry, options, limits);
  if (!fetched && !note.empty() && fetched.error().code != Code::kCancelled)
    fetched.error().what += "; " + note;
  return fetched;
}

}  // namespace tv::hub
