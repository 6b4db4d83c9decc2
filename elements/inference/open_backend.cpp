// Finds and opens backend modules. They are never closed: LibTorch's static objects do not survive
// that.
#include <dlfcn.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <string>
#include <system_error>
#include <vector>

#include "elements/inference/engine.hpp"

namespace tv::inference {
namespace {

namespace fs = std::filesystem;

// In the order of enum DeviceKind.
constexpr std::array<std::string_view, 2> kDeviceNames = {"cpu", "cuda"};
constexpr std::array<std::string_view, 2> kModules = {"libtvinference-cpu.so",
                                                      "libtvinference-cuda.so"};
// Where modules lie when this code is in <libdir>/gstreamer-1.0, in <libdir>, or in <prefix>/bin.
constexpr std::string_view kRelativeFolders[] = {"../gst-torchvision", "gst-torchvision",
                                                 "../" TV_LIBDIR "/gst-torchvision"};

void append_search_path(std::vector<fs::path>& folders) {
  const char* text = secure_getenv("TV_BACKEND_PATH");
  std::string_view rest = text ? text : "";
  while (!rest.empty()) {
    const std::size_t colon = rest.find(':');
    if (const auto folder = rest.substr(0, colon); !folder.empty()) folders.emplace_back(folder);
    rest = colon == std::string_view::npos ? "" : rest.substr(colon + 1);
  }
}

std::vector<fs::path> backend_folders() {
  std::vector<fs::path> folders;
  append_search_path(folders);
  // The neighbour first: an installed tree that was moved, or stands beside another version's, uses
  // its own modules.
  Dl_info here{};
  std::error_code fault;
  if (dladdr(reinterpret_cast<const void*>(&append_search_path), &here) && here.dli_fname) {
    // A program found through PATH is known by its name alone, which says nothing of its folder.
    const bool has_folder = std::string_view(here.dli_fname).find('/') != std::string_view::npos;
    const fs::path file = has_folder ? here.dli_fname : "/proc/self/exe";
    const fs::path own = fs::canonical(file, fault).parent_path();
    if (!fault)
      for (const std::string_view folder : kRelativeFolders)
        folders.push_back((own / folder).lexically_normal());
  }
  folders.emplace_back(TV_BACKEND_DIR);
  return folders;
}

// The backend of one file, or nullptr and why not.
Backend* open_file(const fs::path& path, std::string& why) {
  if (access(path.c_str(), F_OK) != 0) {
    why = "no such file";
    return nullptr;
  }
  void* const module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!module) {
    const char* const text = dlerror();
    why = text ? text : "unknown error of the loader";
    return nullptr;
  }
  const auto open = reinterpret_cast<BackendOpenFn>(dlsym(module, "tv_backend_open"));
  if (!open) {
    why = "is no backend module: it has no function tv_backend_open";
    return nullptr;
  }
  Backend* const backend = open(kBackendVersion);
  if (!backend) why = "is a module of another version, expected " + std::to_string(kBackendVersion);
  return backend;
}

struct Slot {
  std::mutex mutex;
  Backend* backend = nullptr;
  std::atomic<pid_t> process = 0;  // that opened or is opening it
};

Slot& slot_of(DeviceKind kind) {
  static auto* const kSlots =
      new std::array<Slot, kModules.size()>;  // outlives every static object
  return (*kSlots)[static_cast<std::size_t>(kind)];
}

}  // namespace

Result<Backend*> open_backend(DeviceKind kind) {
  const auto which = static_cast<std::size_t>(kind);
  const std::string name(kDeviceNames[which]);
  Slot& slot = slot_of(kind);
  // Before the lock: in a forked child nobody may be left to release it.
  if (const pid_t process = slot.process; process != 0 && process != getpid())
    return Error{Code::kUnavailable,
                 "the " + name + " backend was opened before this process was forked",
                 "load models after the fork, or start the process anew"};
  const std::lock_guard lock(slot.mutex);
  if (slot.backend) return slot.backend;
  slot.process = getpid();

  std::string tried;
  for (const fs::path& folder : backend_folders()) {
    const fs::path path = folder / kModules[which];
    std::string why;
    if (Backend* const backend = open_file(path, why)) {
      slot.backend = backend;
      return backend;
    }
    tried += (tried.empty() ? "" : "; ") + path.string() + ": " + why;
  }
  slot.process = 0;
  return Error{Code::kUnavailable, "no " + name + " backend: " + tried,
               kind == DeviceKind::kCpu ? "install the module " + std::string(kModules[which]) +
                                              " and LibTorch, or name its folder in TV_BACKEND_PATH"
                                        : "use device=cpu or device=auto"};
}

}  // namespace tv::inference
