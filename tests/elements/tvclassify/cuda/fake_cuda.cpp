// See fake_cuda.hpp. The functions have the ABI that the driver exports them with.
#include <cuda.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>
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

/// Work in its order. The world's stream mutex guards it.
struct Stream {
  std::deque<std::function<void()>> pending;
  std::size_t done = 0;

  std::size_t end() const { return done + pending.size(); }
  void run_until(std::size_t position) {
    while (done < position && !pending.empty()) {
      const std::function<void()> task = std::move(pending.front());
      pending.pop_front();
      ++done;
      task();
    }
  }
};
/// Behind what a stream was given when it was recorded.
struct Event {
  std::shared_ptr<Stream> stream;
  std::size_t position = 0;

  void wait() const {
    if (stream) stream->run_until(position);
  }
};

struct World {
  std::mutex mutex;  // guards the blocks, primaries and ways
  std::map<CUdeviceptr, Block> blocks;
  Context* primaries[kDevices] = {};
  int made[kDevices] = {};
  std::set<std::pair<Context*, Context*>> ways;
  std::recursive_mutex stream_mutex;  // guards the streams; work of one waits for another
  std::map<CUstream, std::shared_ptr<Stream>> streams;
  std::atomic<int> host_blocks{0}, events{0}, downloads{0}, peer_copies{0}, pushed{0};
  std::atomic<bool> fail_copies{false}, fail_host{false}, isolate{false};
  std::atomic<bool> fail_peers{false}, lazy{false}, joined{false};
};
World& world() {
  static auto* const made = new World;
  return *made;
}

thread_local std::vector<Context*> t_stack;

Context* current() {
  return t_stack.empty() ? nullptr : t_stack.back();
}

/// Does it, at the latest when somebody waits for it.
void give(CUstream stream, std::function<void()> task) {
  const std::lock_guard lock(world().stream_mutex);
  const auto found = world().streams.find(stream);
  if (found == world().streams.end()) {
    task();
    return;
  }
  found->second->pending.push_back(std::move(task));
  if (!world().lazy) found->second->run_until(found->second->end());
}

void finish_all() {
  const std::lock_guard lock(world().stream_mutex);
  for (const auto& [name, stream] : world().streams) stream->run_until(stream->end());
}

/// Whether these bytes were allocated on the context's device.
bool lies_on(CUdeviceptr begin, std::size_t bytes, const Context* context) {
  const std::lock_guard lock(world().mutex);
  for (const auto& [at, block] : world().blocks)
    if (begin >= at && begin + bytes <= at + block.size)
      return context && block.context->device == context->device;
  return false;
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
  if (Context* const mine = current(); mine == world().primaries[mine->device])
    ++world().made[mine->device];
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
  *can = world().joined ? 1 : 0;
  return CUDA_SUCCESS;
}
CUresult cuCtxEnablePeerAccess(CUcontext peer, unsigned) {
  auto* const theirs = reinterpret_cast<Context*>(peer);
  if (!current() || !theirs) return CUDA_ERROR_INVALID_CONTEXT;
  if (!world().joined || theirs->device == current()->device)
    return CUDA_ERROR_PEER_ACCESS_UNSUPPORTED;
  const std::lock_guard lock(world().mutex);
  return world().ways.emplace(current(), theirs).second ? CUDA_SUCCESS
                                                        : CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED;
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
  const std::lock_guard lock(world().mutex);
  std::erase_if(world().ways,
                [&](const auto& way) { return way.second == reinterpret_cast<Context*>(context); });
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
  finish_all();
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
CUresult cuMemcpyPeerAsync(CUdeviceptr to, CUcontext to_context, CUdeviceptr from,
                           CUcontext from_context, std::size_t bytes, CUstream stream) {
  if (!current()) return CUDA_ERROR_INVALID_CONTEXT;
  ++world().peer_copies;
  if (world().fail_peers) return CUDA_ERROR_NOT_SUPPORTED;
  if (!lies_on(to, bytes, reinterpret_cast<Context*>(to_context)) ||
      !lies_on(from, bytes, reinterpret_cast<Context*>(from_context)))
    return CUDA_ERROR_INVALID_VALUE;
  give(stream, [=] {
    std::memcpy(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes);
  });
  return CUDA_SUCCESS;
}
CUresult cuMemsetD8Async(CUdeviceptr at, unsigned char value, std::size_t bytes, CUstream stream) {
  give(stream, [=] { std::memset(reinterpret_cast<void*>(at), value, bytes); });
  return CUDA_SUCCESS;
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
  auto made = std::make_shared<Stream>();
  *stream = reinterpret_cast<CUstream>(made.get());
  const std::lock_guard lock(world().stream_mutex);
  world().streams[*stream] = std::move(made);
  return CUDA_SUCCESS;
}
CUresult cuStreamDestroy_v2(CUstream stream) {
  const std::lock_guard lock(world().stream_mutex);
  const auto found = world().streams.find(stream);
  if (found == world().streams.end()) return CUDA_ERROR_INVALID_HANDLE;
  found->second->run_until(found->second->end());
  world().streams.erase(found);
  return CUDA_SUCCESS;
}
#undef cuStreamDestroy
CUresult cuStreamDestroy(CUstream stream) {
  return cuStreamDestroy_v2(stream);
}
CUresult cuStreamSynchronize(CUstream stream) {
  const std::lock_guard lock(world().stream_mutex);
  const auto found = world().streams.find(stream);
  if (found != world().streams.end()) found->second->run_until(found->second->end());
  return CUDA_SUCCESS;
}
CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned) {
  if (!current()) return CUDA_ERROR_INVALID_CONTEXT;
  const std::lock_guard lock(world().stream_mutex);
  // As it is recorded now.
  give(stream, [as_it_is = *reinterpret_cast<Event*>(event)] { as_it_is.wait(); });
  return CUDA_SUCCESS;
}
CUresult cuEventCreate(CUevent* event, unsigned) {
  *event = reinterpret_cast<CUevent>(new Event);
  ++world().events;
  return CUDA_SUCCESS;
}
CUresult cuEventRecord(CUevent event, CUstream stream) {
  const std::lock_guard lock(world().stream_mutex);
  const auto found = world().streams.find(stream);
  if (found != world().streams.end())
    *reinterpret_cast<Event*>(event) = {found->second, found->second->end()};
  return CUDA_SUCCESS;
}
CUresult cuEventSynchronize(CUevent event) {
  const std::lock_guard lock(world().stream_mutex);
  reinterpret_cast<Event*>(event)->wait();
  return CUDA_SUCCESS;
}
CUresult cuEventDestroy_v2(CUevent event) {
  delete reinterpret_cast<Event*>(event);
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
int tv_fake_peer_copies() {
  return world().peer_copies;
}
int tv_fake_made(int device) {
  const std::lock_guard lock(world().mutex);
  return world().made[device];
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
void tv_fake_fail_peers(int fail) {
  world().fail_peers = fail != 0;
}
void tv_fake_be_lazy(int lazy) {
  world().lazy = lazy != 0;
  if (!lazy) finish_all();
}
void tv_fake_join_devices(int joined) {
  world().joined = joined != 0;
}
int tv_fake_has_way(CUcontext from, CUcontext to) {
  const std::lock_guard lock(world().mutex);
  return world().ways.contains({reinterpret_cast<Context*>(from), reinterpret_cast<Context*>(to)});
}
}
