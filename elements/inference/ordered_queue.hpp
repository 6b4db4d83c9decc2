// What one stream carries, in the order in which it came, each thing held back until it is ready.
// No GLib, no LibTorch.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "elements/inference/fifo.hpp"

namespace tv::inference {

/// Told by any thread that one part of an entry is done.
class Completion {
 public:
  virtual ~Completion() = default;
  virtual void complete(std::uint64_t id) = 0;
};

/// Entries enter on one thread (the producer) and leave on one other (the consumer), in order. An
/// entry has parts, which anybody completes in any order; it leaves when none is left, or at its
/// deadline. Frames count against a limit, events do not. Closed until open() is called.
///
/// Who waits is woken with the lock free, which it takes first of all, and only for what it can act
/// on: with short frames, most of the time goes into waking threads.
template <typename T>
class OrderedQueue final : public Completion {
 public:
  using Clock = std::chrono::steady_clock;

  struct Entry {
    T value;
    unsigned parts = 0;  ///< still to be completed
    bool counted = true;
    std::optional<Clock::time_point> deadline = {};
  };
  struct Taken {
    T value;
    bool in_time = true;  ///< false: its deadline came first
  };

  /// Producer. Waits until fewer than `limit` counted entries are inside, the one that the consumer
  /// holds included. False: closed.
  bool wait_for_room(std::size_t limit) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return closed_ || counted_ < limit; });
    return !closed_;
  }

  /// Producer. Puts an entry behind all others and gives the id that complete() takes; never waits.
  /// Nothing when closed: the value is then gone.
  std::optional<std::uint64_t> append(Entry entry) {
    std::unique_lock lock(mutex_);
    if (closed_) return std::nullopt;
    // Of a first entry that is neither ready nor has a deadline the consumer hears when it is.
    const bool news = entries_.empty() && (entry.parts == 0 || entry.deadline);
    if (entry.counted) ++counted_;
    entries_.push_back(std::move(entry));
    const std::uint64_t id = next_id_++;
    lock.unlock();
    if (news) head_.notify_one();
    return id;
  }

  /// Any thread: one part fewer. An entry that has left, or was discarded, is not missed.
  void complete(std::uint64_t id) override {
    std::unique_lock lock(mutex_);
    const std::uint64_t first = next_id_ - entries_.size();
    if (id < first || id >= next_id_) return;
    Entry& entry = entries_[static_cast<std::size_t>(id - first)];
    if (entry.parts > 0) --entry.parts;
    const bool news = id == first && entry.parts == 0;
    lock.unlock();
    if (news) head_.notify_one();
  }

  /// Consumer. Waits for the first entry and takes it; leave() follows. Nothing: closed.
  std::optional<Taken> take() {
    std::unique_lock lock(mutex_);
    while (!closed_) {
      if (entries_.empty()) {
        head_.wait(lock);
        continue;
      }
      const std::optional<Clock::time_point> deadline = entries_.front().deadline;
      const bool ready = entries_.front().parts == 0;
      if (ready || (deadline && Clock::now() >= *deadline)) {
        Entry head = entries_.pop_front();
        held_ = true;
        held_counted_ = head.counted;
        return Taken{std::move(head.value), ready};
      }
      if (deadline)
        head_.wait_until(lock, *deadline);
      else
        head_.wait(lock);
    }
    return std::nullopt;
  }

  /// Consumer. What was taken has left for good: its room is free.
  void leave() {
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(held_, false) && held_counted_) --counted_;
    }
    room_.notify_all();
  }

  /// Waits until everything has left. False: closed.
  bool wait_until_empty() {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [this] { return closed_ || (entries_.empty() && !held_); });
    return !closed_;
  }

  /// Any thread. Sends everybody back and gives what was inside to the caller; what the consumer
  /// holds stays its own.
  std::vector<Entry> close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    std::vector<Entry> rest = entries_.take_all();
    counted_ = held_ && held_counted_ ? 1 : 0;
    head_.notify_all();
    room_.notify_all();
    return rest;
  }

  /// Lets entries in again; ids go on.
  void open() {
    const std::lock_guard lock(mutex_);
    closed_ = false;
  }

  /// Counted entries inside.
  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return counted_;
  }

 private:
  mutable std::mutex mutex_;      // guards all of it
  std::condition_variable head_;  // the consumer waits: for the first entry
  std::condition_variable room_;  // producers wait: for room, for emptiness
  Fifo<Entry> entries_;
  std::uint64_t next_id_ = 0;  // the ids of the entries are the last ones before it
  std::size_t counted_ = 0;    // with the one that the consumer holds
  bool held_ = false;
  bool held_counted_ = false;
  bool closed_ = true;
};

}  // namespace tv::inference
