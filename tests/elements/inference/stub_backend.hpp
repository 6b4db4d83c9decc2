// The controls of the stub backend, which says what colour a picture has. Look them up in the
// loaded module: the element has opened the same one.
#pragma once

#include <dlfcn.h>

#include <cstdlib>
#include <string>

namespace tv::test {

struct StubControls {
  void (*hold)(int held);          ///< 1: inferences begin and do not end; 0: they do
  void (*release)(int count);      ///< so many inferences end although held
  void (*wait_inside)(int count);  ///< until so many pictures have begun since reset()
  void (*fail)(int mode);          ///< 0: never, 1: pictures with blue 255, 2: batches of 2 or more
  void (*delay)(int microseconds);    ///< random delays of each inference, up to this
  int (*loads)();                     ///< since reset()
  int (*models)();                    ///< that are loaded now
  int (*largest_batch)();             ///< since reset()
  void (*unusable)(const char* why);  ///< Backend::usable() fails with that; "": it does not
  int (*whole)();         ///< batches of frames that asked for all logits, since reset()
  int (*most_classes)();  ///< asked for by a batch of frames, since reset()
  int (*device)();        ///< index of the last load
  int (*precision)();     ///< of the last load
  void (*reset)();        ///< all of it
};

/// The class that the stub names first for a solid picture of this colour, 0..511: red, and whether
/// green is 128 or more.
constexpr int stub_class(int red, bool green) {
  return red + (green ? 256 : 0);
}

/// Those of a module in a folder of $TV_BACKEND_PATH.
inline StubControls stub_controls(const std::string& module_name) {
  std::string folders = std::string(std::getenv("TV_BACKEND_PATH")) + ":";
  void* module = nullptr;
  for (std::size_t end; !module && (end = folders.find(':')) != std::string::npos;
       folders.erase(0, end + 1))
    module = dlopen((folders.substr(0, end) + "/" + module_name).c_str(), RTLD_NOW | RTLD_LOCAL);
  const auto find = [&](auto& into, const char* name) {
    into = reinterpret_cast<std::remove_reference_t<decltype(into)>>(module ? dlsym(module, name)
                                                                            : nullptr);
    if (!into) std::abort();
  };
  StubControls found{};
  find(found.hold, "tv_stub_hold");
  find(found.release, "tv_stub_release");
  find(found.wait_inside, "tv_stub_wait_inside");
  find(found.fail, "tv_stub_fail");
  find(found.delay, "tv_stub_delay");
  find(found.loads, "tv_stub_loads");
  find(found.models, "tv_stub_models");
  find(found.largest_batch, "tv_stub_largest_batch");
  find(found.unusable, "tv_stub_unusable");
  find(found.whole, "tv_stub_whole");
  find(found.most_classes, "tv_stub_most_classes");
  find(found.device, "tv_stub_device");
  find(found.precision, "tv_stub_precision");
  find(found.reset, "tv_stub_reset");
  return found;
}

inline const StubControls& stub() {
  static const StubControls controls = stub_controls("libtvinference-cpu.so");
  return controls;
}
/// The one that poses as a GPU's.
inline const StubControls& cuda_stub() {
  static const StubControls controls = stub_controls("libtvinference-cuda.so");
  return controls;
}

}  // namespace tv::test
