#include "model_registry/hub/temp_file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <memory>
#include <string_view>
#include <system_error>

namespace tv::hub {
namespace {

std::string errno_text(int error) {
  return std::generic_category().message(error);
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
    if (io::is_temporary_name(entry->d_name) &&
        fstatat(folder, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(info.st_mode) &&
        now - info.st_mtime > age.count())
      unlinkat(folder, entry->d_name, 0);  // somebody else may have been faster: fine
  }
}

// A user's private group, as most systems make one for each: of the user's own name, with nobody
// else in it.
bool is_private_group(gid_t group, uid_t user) {
  std::array<char, 16384> user_text{}, group_text{};
  passwd owner{};
  passwd* owner_found = nullptr;
  struct group record {};
  struct group* found = nullptr;
  if (getpwuid_r(user, &owner, user_text.data(), user_text.size(), &owner_found) != 0 ||
      getgrgid_r(group, &record, group_text.data(), group_text.size(), &found) != 0 ||
      !owner_found || !found)
    return false;
  const std::string_view name = owner.pw_name;
  if (owner.pw_gid != group || name != record.gr_name) return false;
  for (char** member = record.gr_mem; *member; ++member)
    if (name != *member) return false;
  return true;
}

// Where others may rename files, they may swap one between our check and the next program's use
// of it. The administrator may use anybody's folder.
Status check_owner(const std::string& folder, const struct stat& info) {
  const uid_t user = geteuid();
  if (info.st_uid != user && info.st_uid != 0 && user != 0)
    return Error{Code::kUnwritable,
                 "the cache folder " + folder + " belongs to user id " +
                     std::to_string(info.st_uid) + ", this process runs as " + std::to_string(user),
                 "set TORCH_HOME to a folder of your own"};
  if ((info.st_mode & S_IWOTH) != 0)
    return Error{Code::kUnwritable, "the cache folder " + folder + " is writable by everybody",
                 "chmod go-w " + folder + ", or set TORCH_HOME to a folder of your own"};
  if ((info.st_mode & S_IWGRP) != 0 && !is_private_group(info.st_gid, info.st_uid))
    return Error{
        Code::kUnwritable,
        "the cache folder " + folder + " is writable by group id " + std::to_string(info.st_gid),
        "chmod go-w " + folder + ", or set TORCH_HOME to a folder of your own"};
  return {};
}

}  // namespace

Status check_cache_folder(const std::string& folder) {
  struct stat info {};
  if (stat(folder.c_str(), &info) != 0) return {};
  return check_owner(folder, info);
}

Result<io::Descriptor> open_cache_folder(const std::string& folder, const Limits& limits) {
  TV_RETURN_IF_ERROR(make_folders(folder));
  io::Descriptor handle(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat info {};
  if (handle.get() < 0 || fstat(handle.get(), &info) != 0)
    return folder_error(folder, "open", errno);
  TV_RETURN_IF_ERROR(check_owner(folder, info));
  sweep(handle.get(), limits.stale_temporary);
  return handle;
}

Result<TempFile> TempFile::create(const io::Descriptor& folder, std::string folder_path) {
  io::NewFile file;
  if (const int error = file.create(folder.get(), "", 0644); error != 0)
    return folder_error(folder_path, "create a file in", error);
  std::string path = std::move(folder_path) + "/" + file.name();
  return TempFile(folder.get(), std::move(path), std::move(file));
}

Error TempFile::failure(const std::string& doing, int error) const {
  const bool space = error == ENOSPC || error == EDQUOT || error == EFBIG;
  std::string what = "cannot " + doing + " " + path_ + ": " + errno_text(error);
  if (!space) return {Code::kUnwritable, std::move(what), "check the disk of the cache folder"};
  struct statvfs disk {};
  if (fstatvfs(folder_, &disk) == 0)
    what += " after " + std::to_string(file_.size()) + " bytes, " +
            std::to_string(std::uint64_t{disk.f_bavail} * disk.f_frsize) + " bytes free";
  return {Code::kNoSpace, std::move(what),
          error == EFBIG ? "raise the file size limit (ulimit -f)"
                         : "make room, or set TORCH_HOME to a folder on a larger disk"};
}

Status TempFile::write(std::span<const std::byte> bytes) {
  if (const int error = file_.write(bytes); error != 0) return failure("write", error);
  hash_.update(bytes);
  return {};
}

Status TempFile::sync() {
  if (const int error = file_.sync(); error != 0) return failure("write", error);
  return {};
}

Status TempFile::publish(const std::string& name) {
  if (const int error = file_.publish(name); error != 0)
    return failure("rename to \"" + name + "\"", error);
  // The file is complete and named; a folder that cannot be synchronised (some network file
  // systems) only means that the name may be lost in a power cut.
  fsync(folder_);
  return {};
}

}  // namespace tv::hub
