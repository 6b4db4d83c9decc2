// The controls of the stub backend, which says what colour a picture has. Look them up in the
// loaded module: the element has opened the same one.
#pragma once

#include <dlfcn.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>

namespace tv::test {

/// A frame as the model got it.
struct SeenFrame {
  const std::uint8_t* plane = nullptr;  ///< the first one's
  std::ptrdiff_t stride = 0;
  bool on_device = false;
  const void* written = nullptr;
  int frames = 0;  ///< since the process began
};

struct StubControls {
  void (*hold)(
      int held);  ///< 1: inferences begin and do not end; 0: they do; more: 1 for this side
  void (*release)(int count);       ///< so many inferences end although held
  void (*hold_reading)(int held);   ///< 1: pixels of frames are being read until 0 is said
  void (*wait_reading)(int count);  ///< until pixels of so many batches are or have been read
  void (*wait_inside)(int count);   ///< until so many pictures have begun since reset()
  void (*fail)(int mode);  ///< 0: never, 1: pictures with blue 255, 2: batches of 2 or more, 3: as
                           ///< 1, and the device is lost; 4: loading, the same
  void (*unusable)(const char* why);  ///< Backend::usable() fails with that; "": it does not
  void (*delay)(int microseconds);    ///< random delays of each inference, up to this
  void (*stall)(
      int stage);  ///< of loading, 1: load(), 2: prepare(): ends by a cancel alone; 0: none
  void (*wait_stalled)(int count);  ///< until so many have come there since reset()
  int (*loads)();                   ///< since reset()
  int (*calls)();                   ///< of models and for them, since reset()
  int (*models)();                  ///< that are loaded now
  int (*largest_batch)();           ///< since reset()
  int (*prepared_batch)();          ///< the largest that was prepared, since reset()
  int (*whole)();                   ///< batches of frames that asked for all logits, since reset()
  int (*most_classes)();            ///< asked for by a batch of frames, since reset()
  int (*device)();                  ///< index of the last load
  int (*precision)();               ///< of the last load
  void (*seen)(SeenFrame* last);
  void (*reset)();  ///< all of it, apart from models() and seen()
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

/// Of the module that open_backend() finds in $TV_BACKEND_PATH.
inline StubControls find_stub(const std::string& device) {
  void* module = nullptr;
  std::istringstream folders(std::getenv("TV_BACKEND_PATH"));
  for (std::string folder; !module && std::getline(folders, folder, ':');)
    module = dlopen((folder + "/libtvinference-" + device + ".so").c_str(), RTLD_NOW | RTLD_LOCAL);
  const auto find = [&](auto& into, const char* name) {
    into = reinterpret_cast<std::remove_reference_t<decltype(into)>>(module ? dlsym(module, name)
                                                                            : nullptr);
    if (!into) std::abort();
  };
  StubControls found{};
  find(found.hold, "tv_stub_hold");
  find(found.release, "tv_stub_release");
  find(found.hold_reading, "tv_stub_hold_reading");
  find(found.wait_reading, "tv_stub_wait_reading");
  find(found.wait_inside, "tv_stub_wait_inside");
  find(found.fail, "tv_stub_fail");
  find(found.unusable, "tv_stub_unusable");
  find(found.delay, "tv_stub_delay");
  find(found.stall, "tv_stub_stall");
  find(found.wait_stalled, "tv_stub_wait_stalled");
  find(found.loads, "tv_stub_loads");
  find(found.calls, "tv_stub_calls");
  find(found.models, "tv_stub_models");
  find(found.largest_batch, "tv_stub_largest_batch");
  find(found.prepared_batch, "tv_stub_prepared_batch");
  find(found.whole, "tv_stub_whole");
  find(found.most_classes, "tv_stub_most_classes");
  find(found.device, "tv_stub_device");
  find(found.precision, "tv_stub_precision");
  find(found.seen, "tv_stub_seen");
  find(found.reset, "tv_stub_reset");
  return found;
}

/// Of the module that poses as the CPU's.
inline const StubControls& stub() {
  static const StubControls controls = find_stub("cpu");
  return controls;
}
/// Of the one that poses as the GPUs', where a test has it: its models take frames.
inline const StubControls& gpu_stub() {
  static const StubControls controls = find_stub("cuda");
  return controls;
}

}  // namespace tv::test
