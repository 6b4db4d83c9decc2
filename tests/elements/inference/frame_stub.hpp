// The controls of the stub that poses as a GPU's backend and takes frames. stub_class() and
// stub_side() say what its classes mean.
#pragma once

#include <dlfcn.h>

#include <cstdlib>
#include <string>

namespace tv::test {

struct FrameStubControls {
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

inline const FrameStubControls& cuda_stub() {
  static const FrameStubControls controls = [] {
    const std::string path =
        std::string(std::getenv("TV_BACKEND_PATH")) + "/libtvinference-cuda.so";
    void* const module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    const auto find = [&](auto& into, const char* name) {
      into = reinterpret_cast<std::remove_reference_t<decltype(into)>>(module ? dlsym(module, name)
                                                                              : nullptr);
      if (!into) std::abort();
    };
    FrameStubControls found{};
    find(found.hold, "tv_frame_stub_hold");
    find(found.release, "tv_frame_stub_release");
    find(found.wait_inside, "tv_frame_stub_wait_inside");
    find(found.fail, "tv_frame_stub_fail");
    find(found.delay, "tv_frame_stub_delay");
    find(found.loads, "tv_frame_stub_loads");
    find(found.models, "tv_frame_stub_models");
    find(found.largest_batch, "tv_frame_stub_largest_batch");
    find(found.unusable, "tv_frame_stub_unusable");
    find(found.whole, "tv_frame_stub_whole");
    find(found.most_classes, "tv_frame_stub_most_classes");
    find(found.device, "tv_frame_stub_device");
    find(found.precision, "tv_frame_stub_precision");
    find(found.reset, "tv_frame_stub_reset");
    return found;
  }();
  return controls;
}

}  // namespace tv::test
