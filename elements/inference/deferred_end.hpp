// Ends what nobody waits for. No GLib, no LibTorch.
#pragma once

#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace tv::inference {

/// Destroys, on a thread of its own and one after the other, things whose end may take long: a
/// model's last owner waits for the inference that runs. Its own end waits for all of them.
/// Thread-safe.
class DeferredEnd {
 public:
  DeferredEnd() = default;
  ~DeferredEnd() {
    if (thread_.joinable()) thread_.join();
  }
  DeferredEnd(const DeferredEnd&) = delete;
  DeferredEnd& operator=(const DeferredEnd&) = delete;

  /// The object with an owner count; whoever lets go of it last hands it to `deferred`, which lives
  /// at least as long.
  template <typename T>
  static std::shared_ptr<T> share(std::shared_ptr<DeferredEnd> deferred,
                                  std::unique_ptr<T> object) {
    return {object.release(), [deferred = std::move(deferred)](T* last) noexcept {
              std::unique_ptr<T> owned(last);
              try {
                deferred->take(std::move(owned));
              } catch (const std::exception&) {
                // No memory: it has ended here.
              }
            }};
  }

 private:
  /// Where no thread can be made, the object ends here and now.
  void take(std::shared_ptr<const void> object) {
    std::deque<std::shared_ptr<const void>> here;  // ends with no lock held
    const std::lock_guard lock(mutex_);
    ends_.push_back(std::move(object));
    if (busy_) return;
    if (thread_.joinable()) thread_.join();  // it has done with everything, the lock included
    try {
      thread_ = std::thread([this] { work(); });
      busy_ = true;
    } catch (const std::system_error&) {
      here.swap(ends_);
    }
  }

  void work() {
    std::unique_lock lock(mutex_);
    while (!ends_.empty()) {
      std::shared_ptr<const void> object = std::move(ends_.front());
      ends_.pop_front();
      lock.unlock();
      object.reset();
      lock.lock();
    }
    busy_ = false;
  }

  std::mutex mutex_;  // guards what follows
  std::deque<std::shared_ptr<const void>> ends_;
  bool busy_ = false;  // the thread will look at ends_ once more
  std::thread thread_;
};

}  // namespace tv::inference
