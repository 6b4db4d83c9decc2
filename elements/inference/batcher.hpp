// Gathers the pictures of several streams into batches. No GLib, no LibTorch.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "elements/inference/fifo.hpp"
#include "elements/inference/job.hpp"

namespace tv::inference {

/// What runs a batch: a model, or a stub in tests. One thread at a time, apart from end().
class BatchRunner {
 public:
  virtual ~BatchRunner() = default;
  /// Gives each job its answer or its error; does not tell their completions. 1 job or more.
  virtual void run(std::span<Job* const> jobs) = 0;

  /// Batches that can be under way beside each other, as on a GPU, where the pictures of one are
  /// made ready while another is in the network. 1: run() alone is called.
  virtual unsigned slots() const { return 1; }
  /// Starts a batch in a free slot, 0 .. slots() - 1, and returns at once. The jobs stay until
  /// end() has returned. False: it could not be started, nothing of it is under way, and run() is
  /// to find out why.
  virtual bool begin(unsigned /*slot*/, std::span<Job* const> /*jobs*/) { return false; }
  /// Waits for the batch of a slot and gives each job its answer or its error. Called once for each
  /// begin() that returned true, in their order, on another thread than all other functions and
  /// beside them.
  virtual void end(unsigned /*slot*/) {}
};

/// What a stream wants.
struct BatchTerms {
  unsigned size = 1;                    ///< the largest batch in which its pictures travel, >= 1
  std::chrono::nanoseconds timeout{0};  ///< how long a picture waits for company; 0: not at all
  /// Pictures that it has inside at most: when every stream has as many, waiting is in vain.
  unsigned in_flight = 1;
};

/// Thread-safe; serve() is the worker's. A batch leaves when it is full, when one of its pictures
/// has waited long enough, when a stream is in a hurry, when one that had a part in it is
/// cancelled, or when nothing more can come. Streams take turns, picture by picture, so that none
/// waits for another's backlog.
class Batcher {
 public:
  using StreamId = std::uint64_t;

  StreamId add_stream(const BatchTerms& terms);
  void set_terms(StreamId stream, const BatchTerms& terms);
  /// cancel(), and forgets the stream.
  void remove_stream(StreamId stream);

  /// Never waits; what belongs together may so come together. Leaves empty references. After
  /// stop(), and for an unknown stream, the jobs fail at once with Cancelled. The stream is awake
  /// again.
  void submit(StreamId stream, std::span<JobRef> jobs);
  void submit(StreamId stream, JobRef job) { submit(stream, std::span(&job, 1)); }
  /// Forgets the pictures that have not begun: they are done, with Cancelled, and nobody is told of
  /// them. The stream is quiet.
  void cancel(StreamId stream);
  /// No picture comes from a quiet stream until it submits one or is awake again: nobody waits for
  /// it (EOS, no room for another frame, live video whose picture is here).
  void set_quiet(StreamId stream, bool quiet);
  /// What the stream has here waits for no company, now (EOS, new caps, a query that drains).
  void hurry(StreamId stream);
  /// Pictures of the stream that have not begun.
  std::size_t pending(StreamId stream) const;

  /// The worker's loop: runs batches until stop(); then fails what is left with Cancelled. A runner
  /// of several slots gets a second thread, where none can be made it is used with one.
  void serve(BatchRunner& runner);
  /// A batch that runs is ended first.
  void stop();

 private:
  using Clock = Job::Clock;
  struct Stream {
    BatchTerms terms;
    Fifo<JobRef> waiting;
    bool hurried = false;
    bool quiet = false;
  };
  struct Choice {
    std::size_t count = 0;
    bool closes = false;
    Clock::time_point deadline = Clock::time_point::max();  // when it closes by itself
  };
  struct Batch {
    std::vector<JobRef> refs;
    std::vector<Job*> jobs;  // the same
    void begin();
    void finish();
  };
  class Pipeline;
  Choice plan(std::vector<std::pair<Stream*, std::size_t>>& picks);
  std::vector<JobRef> drop(Stream& stream);
  void take(std::vector<JobRef>& batch);
  bool next(std::unique_lock<std::mutex>& lock, Batch& batch);
  void end_all();

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::map<StreamId, Stream> streams_;
  StreamId next_stream_ = 1;
  StreamId turn_ = 0;        // the stream with this id or the next one begins
  std::size_t pending_ = 0;  // of all streams
  bool stopped_ = false;
  std::vector<std::pair<Stream*, std::size_t>> picks_;  // the next batch: how many of whom
};

}  // namespace tv::inference
