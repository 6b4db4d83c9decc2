// The controls of the stub backend, which says what colour a picture has. Look them up in the
// loaded module: the element has opened the same one.
#pragma once

#include <dlfcn.h>

#include <cstdlib>
#include <string>

namespace tv::test {

struct StubControls {
  void (*hold)(
      int held);  ///< 1: inferences begin and do not end; 0: they do; more: 1 for this side
  void (*release)(int count);      ///< so many inferences end although held
  void (*wait_inside)(int count);  ///< until so many pictures have begun since reset()
  void (*fail)(int mode);  ///< 0: never, 1: pictures with blue 255, 2: batches of 2 or more, 3: as
                           ///< 1, and the device is lost; 4: loading, the same;
                           ///< 5: no device is usable
  void (*delay)(int microseconds);  ///< random delays of each inference, up to this
  void (*stall)(
      int stage);  ///< of loading, 1: load(), 2: prepare(): ends by a cancel alone; 0: none
  void (*wait_stalled)(int count);  ///< until so many have come there since reset()
  int (*loads)();                   ///< since reset()
  int (*calls)();                   ///< of models and for them, since reset()
  int (*models)();                  ///< that are loaded now
  int (*largest_batch)();           ///< since reset()
  int (*prepared_batch)();          ///< the largest that was prepared, since reset()
  void (*reset)();                  ///< all of it
};

/// The class that the stub names first for a solid picture of this colour, 0..511: red, and whether
/// green is 128 or more.
constexpr int stub_class(int red, bool green) {
  return red + (green ? 256 : 0);
}

/// The side of the pictures that the network got, pixels below 488, from the class that the stub
/// names second.
constexpr int stub_side(int second_class) {
  return second_class - 512;
}

inline StubControls find_stub(const std::string& device) {
  const std::string path =
      std::string(std::getenv("TV_BACKEND_PATH")) + "/libtvinference-" + device + ".so";
  void* const module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
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
  find(found.stall, "tv_stub_stall");
  find(found.wait_stalled, "tv_stub_wait_stalled");
  find(found.loads, "tv_stub_loads");
  find(found.calls, "tv_stub_calls");
  find(found.models, "tv_stub_models");
  find(found.largest_batch, "tv_stub_largest_batch");
  find(found.prepared_batch, "tv_stub_prepared_batch");
  find(found.reset, "tv_stub_reset");
  return found;
}

/// Of the module that poses as the CPU's.
inline const StubControls& stub() {
  static const StubControls controls = find_stub("cpu");
  return controls;
}
/// Of the one that poses as the GPUs', where a test has it.
inline const StubControls& gpu_stub() {
  static const StubControls controls = find_stub("cuda");
  return controls;
}

}  // namespace tv::test
