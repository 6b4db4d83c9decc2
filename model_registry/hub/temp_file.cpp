#include "model_registry/hub/temp_file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <memory>
#include <string_view>
#include <system_error>

namespace tv::hub {
namespace {

// ".tv-" + 16 hex digits + ".part": nobody else's files look like this, so the sweep cannot hit
// one.
constexpr std::string_view kPrefix = ".tv-";
constexpr std::string_view kSuffix = ".part";
constexpr std::size_t kRandomDigits = 16;
constexpr std::string_view kHex = "0123456789abcdef";

std::string errno_text(int error) {
  return std::generic_category().message(error);
}

bool is_temp_name(std::string_view name) {
  return name.size() == kPrefix.size() + kRandomDigits + kSuffix.size() &&
         name.starts_with(kPrefix) && name.ends_with(kSuffix) &&
         name.substr(kPrefix.size(), kRandomDigits).find_first_not_of(kHex) == name.npos;
}

std::string random_temp_name() {
  unsigned char random[kRandomDigits / 2] = {};
  // At most 256 bytes never come back short; before the kernel's pool is ready the call waits.
  while (getrandom(random, sizeof random, 0) < 0 && errno == EINTR) {
  }
  std::string name(kPrefix);
  for (unsigned char byte : random) {
    name += kHex[byte >> 4];
    name += kHex[byte & 15];
  }
  return name.append(kSuffix);
}

Error folder_error(const std::string& folder, const std::string& doing, int error) {
  const Code code = error == ENOSPC || error == EDQUOT ? Code::kNoSpace : Code::kUnwritable;
  return {code, "cannot " + doing + " the cache folder " + folder + ": " + errno_text(error),
          "set TORCH_HOME to a folder that you can write to"};
}

// mkdir -p, but private: what is created here can be entered by its owner alone.
Status make_folders(const std::string& folder) {
  for (std::size_t end = folder.find('/', 1);; end = folder.find('/', end + 1)) {
    const std::string part = folder.substr(0, end);
    if (mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) {
      const int error = errno;
      struct stat info {};
      // Read-only file systems and foreign folders may answer EROFS or EACCES for a folder that
      // exists.
      if (stat(part.c_str(), &info) != 0 || !S_ISDIR(info.st_mode))
        return folder_error(folder, "create", error);
    }
    if (end == std::string::npos) return {};
  }
}

void sweep(int folder, std::chrono::seconds age) {
  const int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return;
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(fdopendir(copy), closedir);
  if (!listing) {
    close(copy);
    return;
  }
  const time_t now = time(nullptr);
  while (const dirent* entry = readdir(listing.get())) {
    struct stat info {};
    if (is_temp_name(entry->d_name) &&
        fstatat(folder, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(info.st_mode) &&
        now - info.st_mtime > age.count())
      unlinkat(folder, entry->d_name, 0);  // somebody else may have been faster: fine
  }
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

int Descriptor::close() {
  const int fd = std::exchange(fd_, -1);
  return fd >= 0 && ::close(fd) != 0 ? errno : 0;
}

Result<Descriptor> open_cache_folder(const std::string& folder, const Limits& limits) {
  TV_RETURN_IF_ERROR(make_folders(folder));
  Descriptor handle(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat info {};
  if (handle.get() < 0 || fstat(handle.get(), &info) != 0)
    return folder_error(folder, "open", errno);
  // Where others may rename files, they may swap one between our check and the next program's use
  // of it. The administrator may use anybody's folder.
  const uid_t user = geteuid();
  if (info.st_uid != user && info.st_uid != 0 && user != 0)
    return Error{Code::kUnwritable,
                 "the cache folder " + folder + " belongs to user id " +
                     std::to_string(info.st_uid) + ", this process runs as " + std::to_string(user),
                 "set TORCH_HOME to a folder of your own"};
  if ((info.st_mode & S_IWOTH) != 0)
    return Error{Code::kUnwritable, "the cache folder " + folder + " is writable by everybody",
                 "chmod o-w " + folder + ", or set TORCH_HOME to a folder of your own"};
  sweep(handle.get(), limits.stale_temporary);
  return handle;
}

Result<TempFile> TempFile::create(const Descriptor& folder, std::string folder_path) {
  std::string name = random_temp_name();
  const int fd = openat(folder.get(), name.c_str(),
                        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0) return folder_error(folder_path, "create a file in", errno);
  std::string path = std::move(folder_path) + "/" + name;
  return TempFile(folder.get(), std::move(name), std::move(path), fd);
}

TempFile::TempFile(TempFile&& other) noexcept
    : folder_(other.folder_),
      name_(std::exchange(other.name_, {})),
      path_(std::move(other.path_)),
      file_(std::move(other.file_)),
      hash_(std::move(other.hash_)),
      size_(other.size_) {}

TempFile::~TempFile() {
  if (!name_.empty()) unlinkat(folder_, name_.c_str(), 0);
}

Error TempFile::failure(const std::string& doing, int error) const {
  const bool space = error == ENOSPC || error == EDQUOT || error == EFBIG;
  std::string what = "cannot " + doing + " " + path_ + ": " + errno_text(error);
  if (!space) return {Code::kUnwritable, std::move(what), "check the disk of the cache folder"};
  struct statvfs disk {};
  if (fstatvfs(folder_, &disk) == 0)
    what += " after " + std::to_string(size_) + " bytes, " +
            std::to_string(std::uint64_t{disk.f_bavail} * disk.f_frsize) + " bytes free";
  return {Code::kNoSpace, std::move(what),
          error == EFBIG ? "raise the file size limit (ulimit -f)"
                         : "make room, or set TORCH_HOME to a folder on a larger disk"};
}

Status TempFile::write(std::span<const std::byte> bytes) {
  for (std::span<const std::byte> rest = bytes; !rest.empty();) {
    const ssize_t written = ::write(file_.get(), rest.data(), rest.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return failure("write", errno);
    }
    rest = rest.subspan(static_cast<std::size_t>(written));
    size_ += static_cast<std::uint64_t>(written);
  }
  hash_.update(bytes);
  return {};
}

Status TempFile::sync() {
  if (fsync(file_.get()) != 0) return failure("write", errno);
  if (const int error = file_.close(); error != 0) return failure("close", error);
  return {};
}

Status TempFile::publish(const std::string& name) {
  if (renameat(folder_, name_.c_str(), folder_, name.c_str()) != 0)
    return failure("rename to \"" + name + "\"", errno);
  name_.clear();
  // The file is complete and named; a folder that cannot be synchronised (some network file
  // systems) only means that the name may be lost in a power cut.
  fsync(folder_);
  return {};
}

}  // namespace tv::hub
