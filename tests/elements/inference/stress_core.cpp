// The concurrency core under load: many streams on shared models with a stub that answers each
// picture with what was written into it. Order, completeness, and nothing stale after a flush. Then
// elements that come and go while their models are on their way: each hears the end of it once.
//
//   stress_core [FRAMES [FLUSHES [SEED]]]      all of 1,000,000 frames and 2,000 flushes by
//   default,
//                                              and as many elements as flushes
//   TV_STRESS=full    20 times the frames and 10 times the flushes
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "elements/inference/deferred_end.hpp"
#include "elements/inference/shared_model.hpp"
#include "elements/tvclassify/loading.hpp"

using namespace tv;
using namespace tv::inference;

namespace {

using Random = std::mt19937_64;

void require(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "FAILED: %s\n", what.c_str());
  std::_Exit(1);  // other threads are in the middle of things
}

unsigned below(Random& random, unsigned end) {
  return static_cast<unsigned>(random() % end);
}

/// One round in numbers.
struct Round {
  unsigned streams = 1, models = 1, limit = 4, slow_in_1000 = 0, faults_in_1000 = 0;
  std::uint64_t frames = 0;  ///< of each stream
  unsigned flushes = 0;      ///< of each stream
  bool deadlines = false;
  unsigned slots = 1;  ///< batches under way beside each other
};

/// What is written into a picture. Floats hold whole numbers up to 2^24.
enum Slot : std::size_t { kStream, kNumberLow, kNumberHigh, kLargestBatch, kSlots };

/// Batches that began beside another one, of all rounds.
std::atomic<std::uint64_t> overlaps{0};

/// Answers with the picture itself; now and then slowly, now and then with an error. With several
/// slots a batch is answered on the thread that ends it; now and then one cannot begin.
class Echo final : public BatchRunner {
 public:
  Echo(const Round& round, std::uint64_t seed)
      : round_(round), random_(seed), random_end_(seed + 1), slots_(round.slots) {}
  void run(std::span<Job* const> jobs) override {
    require(under_way_ == 0, "run beside a batch that is under way");
    echo(jobs, random_);
  }
  unsigned slots() const override { return static_cast<unsigned>(slots_.size()); }
  bool begin(unsigned slot, std::span<Job* const> jobs) override {
    require(slots_[slot].empty(), "begun in a slot that is not idle");
    if (below(random_, 100) == 0) return false;
    slots_[slot].assign(jobs.begin(), jobs.end());
    if (++under_way_ > 1) ++overlaps;
    return true;
  }
  void end(unsigned slot) override {
    require(!slots_[slot].empty(), "ended what has not begun");
    echo(slots_[slot], random_end_);
    slots_[slot].clear();
    --under_way_;
  }

 private:
  void echo(std::span<Job* const> jobs, Random& random) const {
    if (below(random, 1000) < round_.slow_in_1000)
      std::this_thread::sleep_for(std::chrono::microseconds(below(random, 2000)));
    for (Job* job : jobs) {
      require(static_cast<float>(jobs.size()) <= job->input[kLargestBatch],
              "a batch is larger than a stream in it wants");
      require(job->batch == jobs.size(), "a job knows another size of its batch");
      if (below(random, 1000) < round_.faults_in_1000)
        job->error = Error{Code::kInternal, std::to_string(job->input[kNumberLow]), ""};
      else
        job->logits = job->input;
    }
  }

  const Round round_;
  Random random_, random_end_;  // the worker's, and that of who ends
  std::vector<std::vector<Job*>> slots_;
  std::atomic<unsigned> under_way_{0};
};

/// Frames and events share the numbers of a stream.
struct Item {
  std::uint64_t number = 0;
  unsigned epoch = 0;  ///< flushes before it
  JobRef job;          ///< nullptr: an event
};
using Queue = OrderedQueue<Item>;

class Stream {
 public:
  Stream(const Round& round, unsigned index, std::shared_ptr<SharedModel> model, std::uint64_t seed)
      : round_(round), index_(index), model_(std::move(model)), random_(seed) {
    terms_ = {.size = 1 + below(random_, 32),
              .timeout = std::chrono::microseconds(below(random_, 2) * below(random_, 500)),
              .in_flight = round.limit};
    seat_ = model_->batcher().add_stream(terms_);
    queue_->open();
    const std::uint64_t flush_seed = random_();
    producer_ = std::thread([this] { produce(); });
    consumer_ = std::thread([this] { consume(); });
    flusher_ = std::thread([this, flush_seed] { flush(flush_seed); });
  }

  std::uint64_t join() {
    producer_.join();
    flusher_.join();
    consumer_.join();
    model_->batcher().remove_stream(seat_);
    const std::string name = "stream " + std::to_string(index_);
    require(entered_ == left_ + discarded_, name + ": frames are missing");
    if (round_.flushes == 0) {
      require(left_ == round_.frames, name + ": not every frame left");
      require(round_.deadlines || late_ == 0, name + ": a frame left before it was ready");
    }
    return left_;
  }

 private:
  void produce() {
    std::uint64_t number = 0;
    for (std::uint64_t frame = 0; frame < round_.frames; ++frame) {
      if (below(random_, 10) == 0) offer({++number, 0, nullptr});
      Item item{++number, 0, model_->make_job()};
      item.job->input = {static_cast<float>(index_), static_cast<float>(number & 0xFFFF),
                         static_cast<float>(number >> 16), static_cast<float>(terms_.size)};
      offer(std::move(item));
      if (below(random_, 5000) == 0) drain();
    }
    drain();
    const std::lock_guard lock(mutex_);
    produced_ = true;
    changed_.notify_all();
  }

  /// A frame that meets a flush is lost to it, as in GStreamer: upstream seeks.
  void offer(Item item) {
    const JobRef job = item.job;
    if (job && !queue_->wait_for_room(round_.limit)) return wait_for_opening();
    Queue::Entry entry{.value = std::move(item),
                       .parts = job ? 1U : 0U,
                       .counted = job != nullptr,
                       .deadline = {}};
    entry.value.epoch = epoch_;
    if (job && round_.deadlines)
      entry.deadline = Queue::Clock::now() + std::chrono::microseconds(below(random_, 300));
    const std::optional<std::uint64_t> id = queue_->append(std::move(entry));
    if (!id) return wait_for_opening();
    if (!job) return;
    ++entered_;
    job->completion = queue_;
    job->id = *id;
    model_->submit(seat_, job);
  }

  void drain() {
    model_->batcher().hurry(seat_);
    if (!queue_->wait_until_empty()) wait_for_opening();
  }

  void consume() {
    std::uint64_t last = 0;
    while (true) {
      std::optional<Queue::Taken> taken = queue_->take();
      if (!taken) {
        if (pause()) return;
        continue;
      }
      const Item& item = taken->value;
      const std::string name =
          "stream " + std::to_string(index_) + ", number " + std::to_string(item.number);
      require(item.epoch == epoch_, name + ": from before a flush");
      require(item.number > last, name + ": after " + std::to_string(last));
      require(round_.flushes > 0 || item.number == last + 1, name + ": one is missing");
      last = item.number;
      if (item.job) check(*item.job, taken->in_time, item.number, name);
      if (below(random_consumer_, 20000) == 0) std::this_thread::yield();
      queue_->leave();
    }
  }

  void check(const Job& job, bool in_time, std::uint64_t number, const std::string& name) {
    ++left_;
    if (!in_time) {
      ++late_;
      return;
    }
    require(job.done, name + ": ready without being done");
    require(job.error.has_value() != !job.logits.empty(), name + ": logits and error");
    if (job.error) {
      require(job.error->what == std::to_string(static_cast<float>(number & 0xFFFF)),
              name + ": the error of another");
      return;
    }
    require(job.logits[kStream] == static_cast<float>(index_), name + ": another stream's result");
    require(job.logits[kNumberLow] == static_cast<float>(number & 0xFFFF) &&
                job.logits[kNumberHigh] == static_cast<float>(number >> 16),
            name + ": another frame's result");
  }

  // ---- flushes: closed, both threads stand still, a new epoch, open

  void flush(std::uint64_t seed) {
    Random random(seed);
    for (unsigned i = 0; i < round_.flushes; ++i) {
      std::this_thread::sleep_for(std::chrono::microseconds(below(random, 1500)));
      std::unique_lock lock(mutex_);
      if (produced_) break;
      flushing_ = true;
      lock.unlock();
      close();
      lock.lock();
      changed_.wait(lock, [this] { return consumer_waits_ && (producer_waits_ || produced_); });
      ++epoch_;
      flushing_ = false;
      queue_->open();
      changed_.notify_all();
      changed_.wait(lock, [this] { return !consumer_waits_ && !producer_waits_; });
    }
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return produced_; });
    over_ = true;
    changed_.notify_all();
    lock.unlock();
    close();
  }

  void close() {
    for (const Queue::Entry& entry : queue_->close())
      if (entry.value.job) ++discarded_;
    model_->batcher().cancel(seat_);
  }

  void wait_for_opening() {
    std::unique_lock lock(mutex_);
    producer_waits_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !flushing_; });
    producer_waits_ = false;
    changed_.notify_all();
  }

  /// True when the stream is over.
  bool pause() {
    std::unique_lock lock(mutex_);
    consumer_waits_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !flushing_ || over_; });
    consumer_waits_ = false;
    changed_.notify_all();
    return over_;
  }

  const Round round_;
  const unsigned index_;
  const std::shared_ptr<SharedModel> model_;
  Random random_;  // the producer's, once that runs
  Random random_consumer_{1};
  BatchTerms terms_;
  Batcher::StreamId seat_ = 0;
  const std::shared_ptr<Queue> queue_ = std::make_shared<Queue>();
  std::atomic<unsigned> epoch_{0};
  std::atomic<std::uint64_t> entered_{0}, left_{0}, discarded_{0}, late_{0};

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  bool flushing_ = false, produced_ = false, over_ = false;
  bool consumer_waits_ = false, producer_waits_ = false;

  std::thread producer_, consumer_, flusher_;
};

std::uint64_t play(const Round& round, Random& random) {
  std::atomic<unsigned> loads{0};
  std::vector<std::shared_ptr<SharedModel>> models;
  std::mutex models_mutex;
  const std::uint64_t seed = random();
  // Everybody asks at once.
  std::vector<std::thread> askers;
  models.resize(round.streams);
  for (unsigned i = 0; i < round.streams; ++i)
    askers.emplace_back([&, i] {
      const auto load = [&](const SharedModel::Progress&) -> Result<Runnable> {
        ++loads;
        Runnable runnable;
        runnable.runner = std::make_unique<Echo>(round, seed);
        runnable.input_size = kSlots;
        return runnable;
      };
      auto model = SharedModel::acquire("model " + std::to_string(i % round.models), load);
      require(static_cast<bool>(model), "no model");
      while ((*model)->phase() == SharedModel::Phase::kLoading) std::this_thread::yield();
      const std::lock_guard lock(models_mutex);
      models[i] = *model;
    });
  for (std::thread& asker : askers) asker.join();
  require(loads == std::min(round.models, round.streams), "a model was not shared");

  std::uint64_t left = 0;
  {
    std::vector<std::unique_ptr<Stream>> streams;
    for (unsigned i = 0; i < round.streams; ++i)
      streams.push_back(std::make_unique<Stream>(round, i, models[i], random()));
    for (const auto& stream : streams) left += stream->join();
  }
  return left;
}

// ---- elements that come and go ----------------------------------------------------------------

enum class Way : std::uint8_t { kQuick, kFails, kEndless };
constexpr const char* kWayNames[] = {"quick", "fails", "endless"};

/// An endless one ends when it is cancelled, and only then.
SharedModel::Load load_by(Way way) {
  return [way](const SharedModel::Progress& progress) -> Result<Runnable> {
    progress.report(1, 2);
    if (way == Way::kFails) return Error{Code::kBadCheckpoint, "bad", ""};
    while (way == Way::kEndless && !progress.cancelled) std::this_thread::yield();
    if (progress.cancelled) return Error{Code::kCancelled, "", ""};
    Runnable runnable;
    runnable.runner = std::make_unique<Echo>(Round{}, 1);
    runnable.input_size = kSlots;
    return runnable;
  };
}

/// What the listener of one element has heard.
struct Heard {
  std::atomic<int> started{0}, loaded{0}, failed{0}, cancelled{0}, progress{0};
  int ends() const { return loaded + failed + cancelled; }
  Loading::Listener listener() {
    return {.started = [this] { ++started; },
            .loaded =
                [this](const SharedModel& model) {
                  require(model.phase() == SharedModel::Phase::kReady, "loaded, and not ready");
                  ++loaded;
                },
            .failed =
                [this](const Error& error) {
                  require(error.what == "bad", "failed for another reason");
                  ++failed;
                },
            .cancelled = [this] { ++cancelled; },
            .progress = [this](std::uint64_t, std::uint64_t) { ++progress; }};
  }
};

struct Told final : Completion {
  std::promise<void> done;
  void complete(std::uint64_t) override { done.set_value(); }
};

/// One element's seat, which ends where nobody waits for it.
struct Seat {
  std::shared_ptr<SharedModel> model;
  Batcher::StreamId id;
  explicit Seat(std::shared_ptr<SharedModel> shared)
      : model(std::move(shared)), id(model->batcher().add_stream({})) {}
  ~Seat() { model->batcher().remove_stream(id); }
  Seat(const Seat&) = delete;
  Seat& operator=(const Seat&) = delete;
};

void use(std::shared_ptr<SharedModel> model, const std::shared_ptr<DeferredEnd>& ends, bool wait) {
  require(model != nullptr, "ready without a model");
  const auto seat = DeferredEnd::share(ends, std::make_unique<Seat>(std::move(model)));
  const JobRef job = seat->model->make_job();
  job->input = {1, 2, 3, 1};
  const auto told = std::make_shared<Told>();
  job->completion = told;
  seat->model->submit(seat->id, job);
  if (!wait) return;  // the picture may be cancelled
  told->done.get_future().wait();
  require(job->logits == job->input, "another's answer");
}

void come_and_go(unsigned times, std::uint64_t seed) {
  Random random(seed);
  const auto ends = std::make_shared<DeferredEnd>();
  for (unsigned i = 0; i < times; ++i) {
    const auto way = static_cast<Way>(below(random, 3));
    const std::string name = kWayNames[static_cast<std::size_t>(way)];
    const std::string key = below(random, 2) == 0 ? "" : name;
    const bool interrupted = way == Way::kEndless || below(random, 2) == 0;
    const unsigned pause = below(random, 200);
    const unsigned how = below(random, 3);
    Heard heard;
    {
      Loading loading({.key = [&](const CancelCheck& cancelled) -> Result<std::string> {
                         if (cancelled()) return Error{Code::kCancelled, "", ""};
                         return key;
                       },
                       .load = [way] { return load_by(way); }},
                      heard.listener());
      std::thread other([&] {
        if (!interrupted) return;
        std::this_thread::sleep_for(std::chrono::microseconds(pause));
        if (how == 0) loading.set_flushing(true);
        if (how == 1) loading.set_flushing(false);
        if (how != 0) loading.close();
      });
      const Loading::Readiness readiness = loading.wait_ready();
      require(interrupted || readiness != Loading::Readiness::kInterrupted, name + ": nobody did");
      if (readiness == Loading::Readiness::kReady) {
        require(way == Way::kQuick, name + ": ready");
        use(loading.take_model(), ends, below(random, 2) == 0);
      }
      if (readiness == Loading::Readiness::kFailed) require(way == Way::kFails, name + ": failed");
      static_cast<void>(loading.has_ended());
      other.join();
    }
    require(heard.started == 1 && heard.ends() == 1, name + ": heard of another number of ends");
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto argument = [&](int index, std::uint64_t otherwise) {
    return argc > index ? std::strtoull(argv[index], nullptr, 10) : otherwise;
  };
  const char* wanted = std::getenv("TV_STRESS");
  const bool full = wanted && std::string_view(wanted) == "full";
  const std::uint64_t frames = argument(1, 1'000'000) * (full ? 20 : 1);
  const std::uint64_t flushes = argument(2, 2'000) * (full ? 10 : 1);
  const std::uint64_t seed = argument(3, std::random_device{}());
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  Random random(seed);

  unsigned rounds = 0;
  std::uint64_t left = 0;
  constexpr unsigned kStreams[] = {1, 2, 3, 7, 16};
  for (std::size_t i = 0; left < frames; ++i) {
    Round round;
    round.streams = kStreams[i % std::size(kStreams)];
    round.models = 1 + below(random, 2);
    round.limit = 1 + below(random, 16);
    round.slow_in_1000 = below(random, 3);
    round.faults_in_1000 = below(random, 20);
    round.frames =
        std::max<std::uint64_t>(1, std::min<std::uint64_t>(frames - left, 100'000) / round.streams);
    round.deadlines = i % 4 == 3;
    round.slots = 1 + ++rounds % 3;
    left += play(round, random);
  }
  std::printf("%llu frames, all of them once and in order\n",
              static_cast<unsigned long long>(left));

  std::uint64_t flushed = 0;
  while (flushed < flushes) {
    Round round{.streams = 1 + below(random, 4),
                .models = 1,
                .limit = 1 + below(random, 8),
                .slow_in_1000 = 100,
                .faults_in_1000 = 5,
                .frames = 20'000'000,
                .flushes = 0,
                .deadlines = below(random, 2) == 0,
                .slots = 1 + ++rounds % 3};
    round.flushes = static_cast<unsigned>(std::min<std::uint64_t>(50, flushes - flushed));
    round.frames = std::uint64_t{round.flushes} * 500;
    play(round, random);
    flushed += std::uint64_t{round.flushes} * round.streams;
  }
  std::printf("%llu flushes at random moments, nothing stale\n",
              static_cast<unsigned long long>(flushed));
  std::printf("%llu batches began beside another one\n",
              static_cast<unsigned long long>(overlaps.load()));
  require(overlaps > 0, "no two batches were ever under way beside each other");

  constexpr unsigned kElements = 8;
  std::vector<std::thread> elements;
  for (unsigned i = 0; i < kElements; ++i)
    elements.emplace_back(come_and_go, static_cast<unsigned>(flushes / kElements), random());
  for (std::thread& element : elements) element.join();
  std::printf("%llu elements came and went, and each heard of one end\n",
              static_cast<unsigned long long>(flushes / kElements * kElements));
  return 0;
}
