#include "elements/inference/batcher.hpp"

#include <algorithm>
#include <exception>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace tv::inference {
namespace {

Error stopped() {
  return {Code::kCancelled, "the model has ended", ""};
}

/// For who no longer waits.
void end_silently(const std::vector<JobRef>& dropped) {
  for (const JobRef& job : dropped) {
    job->completion.reset();
    job->error = Error{Code::kCancelled, "the stream was flushed", ""};
    job->finish();
  }
}

/// A runner that throws has a bug; the pictures that it left without an answer get this one.
template <typename Run>
void answer_guarded(std::span<Job* const> jobs, Run&& run) {
  const auto end_the_rest = [&](const char* what) {
    for (Job* job : jobs)
      if (!job->answered() && !job->error)
        job->error =
            Error{Code::kInternal, std::string("internal error: ") + what, "please report it"};
  };
  try {
    run();
  } catch (const std::exception& exception) {
    return end_the_rest(exception.what());
  } catch (...) {
    return end_the_rest("exception of unknown type");
  }
  end_the_rest("no result for a picture");
}

}  // namespace

Batcher::StreamId Batcher::add_stream(const BatchTerms& terms) {
  const std::lock_guard lock(mutex_);
  streams_[next_stream_].terms = terms;
  picks_.reserve(streams_.size());
  return next_stream_++;
}

void Batcher::set_terms(StreamId stream, const BatchTerms& terms) {
  const std::lock_guard lock(mutex_);
  if (const auto found = streams_.find(stream); found != streams_.end())
    found->second.terms = terms;
  changed_.notify_one();
}

/// Takes the pictures of a stream away. Those of the others have waited for their company, which
/// does not come: they go now.
std::vector<JobRef> Batcher::drop(Stream& stream) {
  std::vector<JobRef> dropped = stream.waiting.take_all();
  pending_ -= dropped.size();
  stream.hurried = false;
  stream.quiet = true;
  if (!dropped.empty())
    for (auto& [id, other] : streams_) other.hurried = !other.waiting.empty();
  changed_.notify_one();  // the others may have waited for this one
  return dropped;
}

void Batcher::remove_stream(StreamId stream) {
  std::vector<JobRef> dropped;  // let go of with no lock held
  {
    const std::lock_guard lock(mutex_);
    const auto found = streams_.find(stream);
    if (found == streams_.end()) return;
    dropped = drop(found->second);
    streams_.erase(found);
  }
  end_silently(dropped);
}

void Batcher::submit(StreamId stream, std::span<JobRef> jobs) {
  std::unique_lock lock(mutex_);
  const auto found = streams_.find(stream);
  if (found != streams_.end() && !stopped_) {
    const Clock::time_point now = Clock::now();
    for (JobRef& job : jobs) {
      job->submitted = now;
      found->second.waiting.push_back(std::move(job));
      ++pending_;
    }
    found->second.quiet = false;
    lock.unlock();  // the worker, once woken, takes it first of all
    changed_.notify_one();
    return;
  }
  lock.unlock();
  for (JobRef& job : jobs) {
    job->error = stopped();
    job->finish();
    job.reset();
  }
}

void Batcher::cancel(StreamId stream) {
  std::vector<JobRef> dropped;
  {
    const std::lock_guard lock(mutex_);
    const auto found = streams_.find(stream);
    if (found == streams_.end()) return;
    dropped = drop(found->second);
  }
  end_silently(dropped);
}

void Batcher::set_quiet(StreamId stream, bool quiet) {
  const std::lock_guard lock(mutex_);
  const auto found = streams_.find(stream);
  if (found == streams_.end() || std::exchange(found->second.quiet, quiet) == quiet) return;
  // Without pictures there is nobody who could be waiting for this stream.
  if (quiet && pending_ > 0) changed_.notify_one();
}

void Batcher::hurry(StreamId stream) {
  const std::lock_guard lock(mutex_);
  const auto found = streams_.find(stream);
  if (found == streams_.end() || found->second.waiting.empty()) return;
  found->second.hurried = true;
  changed_.notify_one();
}

std::size_t Batcher::pending(StreamId stream) const {
  const std::lock_guard lock(mutex_);
  const auto found = streams_.find(stream);
  return found == streams_.end() ? 0 : found->second.waiting.size();
}

/// The next batch: from `turn_` on each stream gives one picture, then each another, as long as the
/// batch is no larger than any of its streams wants.
Batcher::Choice Batcher::plan(std::vector<std::pair<Stream*, std::size_t>>& picks) {
  picks.clear();
  const auto first = streams_.lower_bound(turn_);
  const auto add = [&](auto begin, auto end) {
    for (auto each = begin; each != end; ++each)
      if (!each->second.waiting.empty()) picks.emplace_back(&each->second, 0);
  };
  add(first, streams_.end());
  add(streams_.begin(), first);

  Choice choice;
  std::size_t limit = picks.empty() ? 0 : picks.front().first->terms.size;
  bool grew = true;
  while (grew && choice.count < limit) {
    grew = false;
    for (auto& [stream, count] : picks) {
      if (choice.count >= limit) break;
      if (stream->waiting.size() == count || stream->terms.size <= choice.count) continue;
      ++count;
      ++choice.count;
      limit = std::min<std::size_t>(limit, stream->terms.size);
      grew = true;
    }
  }
  std::erase_if(picks, [](const auto& pick) { return pick.second == 0; });

  choice.closes = choice.count >= limit;
  for (const auto& [stream, count] : picks) {
    choice.closes = choice.closes || stream->hurried;
    choice.deadline =
        std::min(choice.deadline, stream->waiting.front()->submitted + stream->terms.timeout);
  }
  const bool more_can_come = std::any_of(streams_.begin(), streams_.end(), [&](const auto& each) {
    const Stream& stream = each.second;
    return !stream.quiet && stream.terms.size > choice.count &&
           stream.waiting.size() < stream.terms.in_flight;
  });
  choice.closes = choice.closes || !more_can_come || Clock::now() >= choice.deadline;
  return choice;
}

void Batcher::take(std::vector<JobRef>& batch) {
  for (const auto& [id, stream] : streams_)
    if (!picks_.empty() && &stream == picks_.front().first) turn_ = id + 1;
  for (auto& [stream, count] : picks_) {
    for (; count > 0; --count) {
      batch.push_back(stream->waiting.pop_front());
      --pending_;
    }
    if (stream->waiting.empty()) stream->hurried = false;
  }
}

void Batcher::Batch::begin() {
  jobs.clear();
  const Clock::time_point now = Clock::now();
  for (const JobRef& job : refs) {
    jobs.push_back(job.get());
    job->begun = now;
    job->batch = static_cast<unsigned>(refs.size());
  }
}

void Batcher::Batch::finish() {
  const Clock::time_point now = Clock::now();
  for (const JobRef& job : refs) job->ended = now;
  for (const JobRef& job : refs) job->finish();
  refs.clear();
}

/// Batches that are under way in a runner's slots; a thread of its own ends them in turn.
class Batcher::Pipeline {
 public:
  explicit Pipeline(BatchRunner& runner)
      : runner_(runner), slots_(std::max(1U, runner.slots())), batches_(slots_) {
    if (slots_ == 1) return;
    try {
      thread_ = std::thread([this] { end_in_turn(); });
    } catch (const std::system_error&) {
      slots_ = 1;  // no thread: one batch after the other
    }
  }
  ~Pipeline() {
    if (!thread_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      changed_.notify_all();
    }
    thread_.join();
  }
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  /// Waits until another batch can begin. Batches that fill up meanwhile are the larger for it.
  void wait_for_room() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return under_way_ < slots_; });
  }

  /// Takes the batch; it is ended here or on the other thread.
  void run(Batch& batch) {
    batch.begin();
    if (slots_ > 1) {
      const unsigned slot = next_;
      batches_[slot].refs.swap(batch.refs);
      batches_[slot].jobs.swap(batch.jobs);
      if (begin(slot)) {
        const std::lock_guard lock(mutex_);
        next_ = (next_ + 1) % slots_;
        ++under_way_;
        changed_.notify_all();
        return;
      }
      batches_[slot].refs.swap(batch.refs);
      batches_[slot].jobs.swap(batch.jobs);
      std::unique_lock lock(mutex_);  // what is wrong may be a lack of room
      changed_.wait(lock, [this] { return under_way_ == 0; });
    }
    answer_guarded(batch.jobs, [&] { runner_.run(batch.jobs); });
    batch.finish();
  }

 private:
  bool begin(unsigned slot) {
    try {
      return runner_.begin(slot, batches_[slot].jobs);
    } catch (...) {
      return false;  // run() tells
    }
  }

  void end_in_turn() {
    std::unique_lock lock(mutex_);
    for (unsigned slot = 0;; slot = (slot + 1) % slots_) {
      changed_.wait(lock, [this] { return closed_ || under_way_ > 0; });
      if (under_way_ == 0) return;
      lock.unlock();
      answer_guarded(batches_[slot].jobs, [&] { runner_.end(slot); });
      batches_[slot].finish();
      lock.lock();
      --under_way_;
      changed_.notify_all();
    }
  }

  BatchRunner& runner_;
  unsigned slots_;
  std::vector<Batch>
      batches_;        // of a slot: the worker's until it has begun, then the other thread's
  unsigned next_ = 0;  // slot; the worker's
  std::mutex mutex_;   // guards what follows
  std::condition_variable changed_;
  unsigned under_way_ = 0;
  bool closed_ = false;
  std::thread thread_;  // last: it uses all of the above
};

/// Waits for a batch that closes. False: stopped.
bool Batcher::next(std::unique_lock<std::mutex>& lock, Batch& batch) {
  while (true) {
    changed_.wait(lock, [this] { return stopped_ || pending_ > 0; });
    if (stopped_) return false;
    const Choice choice = plan(picks_);
    if (choice.closes) break;
    changed_.wait_until(lock, choice.deadline);
  }
  take(batch.refs);
  return true;
}

void Batcher::end_all() {
  Batch left;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [id, stream] : streams_)
      while (!stream.waiting.empty()) left.refs.push_back(stream.waiting.pop_front());
    pending_ = 0;
  }
  for (const JobRef& job : left.refs) {
    job->error = stopped();
    job->finish();
  }
}

void Batcher::serve(BatchRunner& runner) {
  {
    Pipeline pipeline(runner);
    Batch batch;
    std::unique_lock lock(mutex_);
    while (next(lock, batch)) {
      lock.unlock();
      pipeline.run(batch);
      pipeline.wait_for_room();
      lock.lock();
    }
  }
  end_all();
}

void Batcher::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  changed_.notify_one();
}

}  // namespace tv::inference
