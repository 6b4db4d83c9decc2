// See fake_cuda.hpp. The functions have the ABI that the driver exports them with.
#include <cuda.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

namespace {

constexpr int kDevices = 2;

struct Context {
  int device = 0;
};
struct Block {
  const Context* context = nullptr;
  std::size_t size = 0;
};

struct World {
  std::mutex mutex;  // guards the blocks and primaries
  std::map<CUdeviceptr, Block> blocks;
  Context* primaries[kDevices] = {};
  std::atomic<int> host_blocks{0}, events{0}, downloads{0}, pushed{0};
  std::atomic<bool> fail_copies{false}, fail_host{false}, isolate{false};
};
World& world() {
  static auto* const made = new World;
  return *made;
}

thread_local std::vector<Context*> t_stack;

Context* current() {
  return t_stack.empty() ? nullptr : t_stack.back();
}

CUresult copy(const CUDA_MEMCPY2D* job) {
  if (world().fail_copies) return CUDA_ERROR_ILLEGAL_ADDRESS;
  if (!current()) return CUDA_ERROR_INVALID_CONTEXT;
  const bool from_device = job->srcMemoryType == CU_MEMORYTYPE_DEVICE;
  const bool to_device = job->dstMemoryType == CU_MEMORYTYPE_DEVICE;
  if (from_device && !to_device) ++world().downloads;
  const char* from = from_device ? reinterpret_cast<const char*>(job->srcDevice)
                                 : static_cast<const char*>(job->srcHost);
  char* to = to_device ? reinterpret_cast<char*>(job->dstDevice) : static_cast<char*>(job->dstHost);
  for (std::size_t y = 0; y < job->Height; ++y)
    std::memcpy(to + y * job->dstPitch, from + y * job->srcPitch, job->WidthInBytes);
  return CUDA_SUCCESS;
}

CUresult allocate(CUdeviceptr* at, std::size_t size) {
  if (!current()) return CUDA_ERROR_INVALID_CONTEXT;
  void* const memory = std::calloc(1, size);
  *at = reinterpret_cast<CUdeviceptr>(memory);
  const std::lock_guard lock(world().mutex);
  world().blocks[*at] = {current(), size};
  return CUDA_SUCCESS;
}

}  // namespace

extern "C" {

CUresult cuInit(unsigned) {
  return CUDA_SUCCESS;
}
CUresult cuDriverGetVersion(int* version) {
  *version = 13000;
  return CUDA_SUCCESS;
}
CUresult cuGetErrorName(CUresult, const char** text) {
  *text = "FAKE";
  return CUDA_SUCCESS;
}
CUresult cuGetErrorString(CUresult, const char** text) {
  *text = "an error of the fake driver";
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetCount(int* count) {
  *count = kDevices;
  return CUDA_SUCCESS;
}
CUresult cuDeviceGet(CUdevice* device, int ordinal) {
  if (ordinal < 0 || ordinal >= kDevices) return CUDA_ERROR_INVALID_DEVICE;
  *device = ordinal;
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetName(char* name, int size, CUdevice) {
  std::strncpy(name, "no GPU", static_cast<std::size_t>(size));
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute, CUdevice) {
  *value = 8;
  return CUDA_SUCCESS;
}
CUresult cuDeviceCanAccessPeer(int* can, CUdevice, CUdevice) {
  *can = 0;
  return CUDA_SUCCESS;
}
CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device) {
  if (device < 0 || device >= kDevices) return CUDA_ERROR_INVALID_DEVICE;
  const std::lock_guard lock(world().mutex);
  Context*& primary = world().primaries[device];
  if (!primary) primary = new Context{device};
  *context = reinterpret_cast<CUcontext>(primary);
  return CUDA_SUCCESS;
}
CUresult cuCtxCreate_v2(CUcontext* context, unsigned, CUdevice device) {
  if (device < 0 || device >= kDevices) return CUDA_ERROR_INVALID_DEVICE;
  t_stack.push_back(new Context{device});
  ++world().pushed;
  *context = reinterpret_cast<CUcontext>(t_stack.back());
  return CUDA_SUCCESS;
}
CUresult cuCtxDestroy_v2(CUcontext context) {
  delete reinterpret_cast<Context*>(context);
  return CUDA_SUCCESS;
}
CUresult cuCtxPushCurrent_v2(CUcontext context) {
  t_stack.push_back(reinterpret_cast<Context*>(context));
  ++world().pushed;
  return CUDA_SUCCESS;
}
CUresult cuCtxPopCurrent_v2(CUcontext* context) {
  if (t_stack.empty()) return CUDA_ERROR_INVALID_CONTEXT;
  if (context) *context = reinterpret_cast<CUcontext>(t_stack.back());
  t_stack.pop_back();
  --world().pushed;
  return CUDA_SUCCESS;
}

CUresult cuMemAlloc_v2(CUdeviceptr* at, std::size_t size) {
  return allocate(at, size);
}
CUresult cuMemAllocPitch_v2(CUdeviceptr* at, std::size_t* pitch, std::size_t width,
                            std::size_t height, unsigned) {
  *pitch = (width + 511) / 512 * 512;
  return allocate(at, *pitch * height);
}
CUresult cuMemFree_v2(CUdeviceptr at) {
  const std::lock_guard lock(world().mutex);
  if (world().blocks.erase(at) == 0) return CUDA_ERROR_INVALID_VALUE;
  std::free(reinterpret_cast<void*>(at));
  return CUDA_SUCCESS;
}
CUresult cuMemAllocHost_v2(void** memory, std::size_t size) {
  if (world().fail_host) return CUDA_ERROR_OUT_OF_MEMORY;
  if (!current()) return CUDA_ERROR_INVALID_CONTEXT;
  *memory = std::calloc(1, size);
  ++world().host_blocks;
  return CUDA_SUCCESS;
}
CUresult cuMemFreeHost(void* memory) {
  std::free(memory);
  --world().host_blocks;
  return CUDA_SUCCESS;
}
CUresult cuMemcpy2D_v2(const CUDA_MEMCPY2D* job) {
  return copy(job);
}
CUresult cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D* job, CUstream) {
  return copy(job);
}
CUresult cuPointerGetAttribute(void* value, CUpointer_attribute attribute, CUdeviceptr pointer) {
  if (attribute != CU_POINTER_ATTRIBUTE_DEVICE_POINTER) return CUDA_ERROR_NOT_SUPPORTED;
  const std::lock_guard lock(world().mutex);
  for (const auto& [begin, block] : world().blocks) {
    if (pointer < begin || pointer >= begin + block.size) continue;
    const bool own = block.context == current();
    const bool same = current() && block.context->device == current()->device;
    if (!own && (!same || world().isolate)) return CUDA_ERROR_INVALID_VALUE;
    *static_cast<CUdeviceptr*>(value) = pointer;
    return CUDA_SUCCESS;
  }
  return CUDA_ERROR_INVALID_VALUE;
}

CUresult cuStreamCreate(CUstream* stream, unsigned) {
  *stream = reinterpret_cast<CUstream>(new int);
  return CUDA_SUCCESS;
}
CUresult cuStreamDestroy_v2(CUstream stream) {
  delete reinterpret_cast<int*>(stream);
  return CUDA_SUCCESS;
}
#undef cuStreamDestroy
CUresult cuStreamDestroy(CUstream stream) {
  return cuStreamDestroy_v2(stream);
}
CUresult cuStreamSynchronize(CUstream) {
  return CUDA_SUCCESS;
}
CUresult cuEventCreate(CUevent* event, unsigned) {
  *event = reinterpret_cast<CUevent>(new int);
  ++world().events;
  return CUDA_SUCCESS;
}
CUresult cuEventRecord(CUevent, CUstream) {
  return CUDA_SUCCESS;
}
CUresult cuEventDestroy_v2(CUevent event) {
  delete reinterpret_cast<int*>(event);
  --world().events;
  return CUDA_SUCCESS;
}

int tv_fake_device_blocks() {
  const std::lock_guard lock(world().mutex);
  return static_cast<int>(world().blocks.size());
}
int tv_fake_host_blocks() {
  return world().host_blocks;
}
int tv_fake_events() {
  return world().events;
}
int tv_fake_downloads() {
  return world().downloads;
}
int tv_fake_pushed() {
  return world().pushed;
}
void* tv_fake_primary(int device) {
  const std::lock_guard lock(world().mutex);
  return world().primaries[device];
}
void tv_fake_fail_copies(int fail) {
  world().fail_copies = fail != 0;
}
void tv_fake_fail_host(int fail) {
  world().fail_host = fail != 0;
}
void tv_fake_isolate(int isolate) {
  world().isolate = isolate != 0;
}
}
