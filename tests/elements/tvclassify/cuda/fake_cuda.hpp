// The controls of a CUDA driver without a GPU, two devices, whose memory is the computer's: with it
// GStreamer's own CUDA memory, pools and contexts run on a CPU. Installed under the driver's name
// in a folder that the loader searches first.
#pragma once

#include <cuda.h>
#include <dlfcn.h>

#include <cstddef>
#include <cstdlib>
#include <type_traits>

namespace tv::test {

struct FakeCuda {
  int (*device_blocks)();  ///< memory of the GPUs that is allocated
  int (*host_blocks)();    ///< pinned memory that is allocated
  int (*events)();         ///< that exist
  int (*downloads)();      ///< copies from a GPU to the computer's memory so far
  int (*peer_copies)();    ///< copies between contexts that have been asked for so far
  int (*made)(int);        ///< memory that a device's primary context was ever given
  int (*pushed)();         ///< contexts pushed and not popped, on all threads
  CUresult (*retain_primary)(CUcontext*, CUdevice);
  CUresult (*fill)(CUdeviceptr, unsigned char, std::size_t, CUstream);
  void* (*primary)(int);     ///< the primary context of a device, nullptr before it is retained
  void (*fail_copies)(int);  ///< 1: copies fail; 0: they do not
  void (*fail_host)(int);    ///< 1: there is no pinned memory
  void (*isolate)(int);      ///< 1: a context cannot read memory of another one
  void (*fail_peers)(int);   ///< 1: copies between contexts fail
  void (*be_lazy)(int);      ///< 1: a stream does nothing before somebody waits for it
  /// 1: GPUs can reach each other's memory.
  void (*join_devices)(int);
  /// Whether memory of a context was made accessible to another.
  int (*has_way)(CUcontext from, CUcontext to);
};

/// nullptr: another driver, or none, is loaded under that name.
inline const FakeCuda* fake_cuda() {
  static const FakeCuda* const found = []() -> const FakeCuda* {
    void* const library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library || !dlsym(library, "tv_fake_events")) return nullptr;
    static FakeCuda controls;
    const auto find = [&](auto& into, const char* name) {
      into = reinterpret_cast<std::remove_reference_t<decltype(into)>>(dlsym(library, name));
      if (!into) std::abort();
    };
    find(controls.device_blocks, "tv_fake_device_blocks");
    find(controls.host_blocks, "tv_fake_host_blocks");
    find(controls.events, "tv_fake_events");
    find(controls.downloads, "tv_fake_downloads");
    find(controls.peer_copies, "tv_fake_peer_copies");
    find(controls.made, "tv_fake_made");
    find(controls.pushed, "tv_fake_pushed");
    find(controls.retain_primary, "cuDevicePrimaryCtxRetain");
    find(controls.fill, "cuMemsetD8Async");
    find(controls.primary, "tv_fake_primary");
    find(controls.fail_copies, "tv_fake_fail_copies");
    find(controls.fail_host, "tv_fake_fail_host");
    find(controls.isolate, "tv_fake_isolate");
    find(controls.fail_peers, "tv_fake_fail_peers");
    find(controls.be_lazy, "tv_fake_be_lazy");
    find(controls.join_devices, "tv_fake_join_devices");
    find(controls.has_way, "tv_fake_has_way");
    return &controls;
  }();
  return found;
}

}  // namespace tv::test
