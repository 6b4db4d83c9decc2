// The calling thread's OpenMP team.
#pragma once

// Of the OpenMP that LibTorch brings; not there in a LibTorch without one.
extern "C" {
__attribute__((weak)) int omp_get_max_threads(void);
__attribute__((weak)) void omp_set_num_threads(int);
}

namespace tv::inference {

/// While it lives, this thread has no OpenMP team if `wanted`. One that has done its share of an
/// operator spins for some milliseconds in the hope of the next one, on cores that others may need.
class WithoutOpenMpTeam {
 public:
  explicit WithoutOpenMpTeam(bool wanted) {
    if (!wanted || !omp_get_max_threads || !omp_set_num_threads) return;
    threads_ = omp_get_max_threads();
    omp_set_num_threads(1);
  }
  ~WithoutOpenMpTeam() {
    if (threads_ > 0) omp_set_num_threads(threads_);
  }
  WithoutOpenMpTeam(const WithoutOpenMpTeam&) = delete;
  WithoutOpenMpTeam& operator=(const WithoutOpenMpTeam&) = delete;

 private:
  int threads_ = 0;
};

}  // namespace tv::inference
