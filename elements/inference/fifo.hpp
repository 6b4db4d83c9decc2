// First in, first out, in memory that is used again.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace tv::inference {

/// A ring that grows and never shrinks. std::deque would do, but asks for memory and gives some
/// back as its contents move on: once a frame where they are large. One thread at a time.
template <typename T>
class Fifo {
 public:
  bool empty() const { return count_ == 0; }
  std::size_t size() const { return count_; }
  /// From the front; `index` < size().
  T& operator[](std::size_t index) { return slots_[(first_ + index) % slots_.size()]; }
  T& front() { return (*this)[0]; }

  void push_back(T value) {
    if (count_ == slots_.size()) grow();
    ++count_;
    (*this)[count_ - 1] = std::move(value);
  }
  /// Takes the front away.
  T pop_front() {
    T value = std::move(front());
    first_ = (first_ + 1) % slots_.size();
    --count_;
    return value;
  }
  /// Takes everything away, in order.
  std::vector<T> take_all() {
    std::vector<T> all;
    all.reserve(count_);
    while (!empty()) all.push_back(pop_front());
    return all;
  }

 private:
  void grow() {
    std::vector<T> larger(slots_.empty() ? kFewest : 2 * slots_.size());
    for (std::size_t i = 0; i < count_; ++i) larger[i] = std::move((*this)[i]);
    slots_.swap(larger);
    first_ = 0;
  }

  static constexpr std::size_t kFewest = 8;
  std::vector<T> slots_;  // moved-from where nothing is
  std::size_t first_ = 0, count_ = 0;
};

}  // namespace tv::inference
