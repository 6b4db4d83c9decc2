#include "elements/tvclassify/classifier.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <utility>

namespace tv {
namespace {

// How long a listener may keep the destructor waiting, before it is taken for one that waits for
// the destroying thread.
constexpr std::chrono::seconds kPatience{2};

enum class Phase : std::uint8_t { kLoading, kReady, kFailed };

struct Job {
  const FrameView* frame = nullptr;
  int k = 0;
};

Error bug(const char* what) {
  return {Code::kInternal, std::string("internal error: ") + what, "please report it"};
}

/// The value of `body`, or an exception as an Error.
template <typename F>
std::invoke_result_t<F> caught(F&& body) {
  try {
    return std::forward<F>(body)();
  } catch (const std::exception& exception) {
    return bug(exception.what());
  } catch (...) {
    return bug("exception of unknown type");
  }
}

}  // namespace

/// What the worker and the others share; it lives as long as one of them.
struct Classifier::Shared {
  std::mutex mutex;                 // guards what follows
  std::condition_variable changed;  // any of it changed
  Phase phase = Phase::kLoading;
  bool flushing = false;
  bool closed = false;
  bool telling = false;                 // a listener is running
  bool ended = false;                   // the worker has let go of everything else
  std::optional<Job> job;               // taken by the worker
  std::optional<Result<Scores>> reply;  // taken by classify()
  std::string sha256;                   // known when ready

  std::atomic<bool> cancel{false};  // read by the download

  /// True when the worker has ended; false when it is with a listener that does not come back.
  bool wait_for_end() {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [this] { return ended || telling; });
      if (ended) return true;
      if (!changed.wait_for(lock, kPatience, [this] { return !telling; })) return false;
    }
  }
};

/// Everything that the worker's thread uses, and owns.
class Classifier::Worker {
 public:
  Worker(std::shared_ptr<Shared> shared, Loader loader, const Transforms& recipe,
         TransformsBackend backend, Listener listener)
      : shared_(std::move(shared)),
        loader_(std::move(loader)),
        recipe_(recipe),
        backend_(backend),
        listener_(std::move(listener)) {}

  void run() {
    load();
    loader_ = nullptr;
    listener_ = {};
    std::unique_lock lock(shared_->mutex);
    shared_->phase = flow_ ? Phase::kReady : Phase::kFailed;
    shared_->changed.notify_all();
    serve(lock);
    lock.unlock();
    flow_.reset();
    lock.lock();
    shared_->ended = true;
    shared_->changed.notify_all();
  }

 private:
  template <typename F>
  void tell(F&& listener) {
    set_telling(true);
    // A listener that throws has said what it could.
    static_cast<void>(caught([&]() -> Status {
      std::forward<F>(listener)();
      return {};
    }));
    set_telling(false);
  }
  void set_telling(bool telling) {
    const std::lock_guard lock(shared_->mutex);
    shared_->telling = telling;
    shared_->changed.notify_all();
  }

  void load() {
    tell([this] { listener_.started(); });
    Result<inference::ReadyModel> ready = caught([this] { return read(); });
    if (shared_->cancel || !ready) flow_.reset();
    // Cancelled by the process, too: it is exiting.
    if (shared_->cancel || (!ready && ready.error().code == Code::kCancelled)) {
      tell([this] { listener_.cancelled(); });
    } else if (ready) {
      tell([&] { listener_.loaded(*ready); });
    } else {
      tell([&] { listener_.failed(ready.error()); });
    }
  }

  /// Leaves a flow behind when it succeeds.
  Result<inference::ReadyModel> read() {
    FetchOptions options;
    options.cancel = &shared_->cancel;
    options.progress = [this](std::uint64_t done, std::uint64_t total) {
      tell([&] { listener_.progress(done, total); });
    };
    TV_ASSIGN_OR_RETURN(inference::ReadyModel ready, loader_(options));
    flow_.emplace(std::move(ready.model), recipe_, backend_);
    const std::lock_guard lock(shared_->mutex);
    shared_->sha256 = ready.sha256;
    return ready;
  }

  /// Answers jobs until the classifier is closed; `lock` is held on entry and at the end.
  void serve(std::unique_lock<std::mutex>& lock) {
    Shared& shared = *shared_;
    while (flow_) {
      shared.changed.wait(lock, [&] { return shared.job || shared.closed; });
      if (!shared.job) return;
      const Job job = *std::exchange(shared.job, std::nullopt);
      lock.unlock();
      Result<Scores> reply = caught([&] { return flow_->classify(*job.frame, job.k); });
      lock.lock();
      shared.reply = std::move(reply);
      shared.changed.notify_all();
    }
  }

  const std::shared_ptr<Shared> shared_;
  Loader loader_;
  const Transforms recipe_;
  const TransformsBackend backend_;
  Listener listener_;
  std::optional<Flow> flow_;
};

Classifier::Classifier(Loader loader, const Transforms& recipe, TransformsBackend backend,
                       Listener listener)
    : shared_(std::make_shared<Shared>()),
      worker_([worker = std::make_unique<Worker>(shared_, std::move(loader), recipe, backend,
                                                 std::move(listener))] { worker->run(); }) {}

Classifier::~Classifier() {
  close();
  const bool from_listener = worker_.get_id() == std::this_thread::get_id();
  if (!from_listener && shared_->wait_for_end())
    worker_.join();
  else
    worker_.detach();
}

Classifier::Readiness Classifier::wait_ready() {
  Shared& shared = *shared_;
  std::unique_lock lock(shared.mutex);
  shared.changed.wait(
      lock, [&] { return shared.phase != Phase::kLoading || shared.flushing || shared.closed; });
  if (shared.flushing || shared.closed) return Readiness::kInterrupted;
  return shared.phase == Phase::kReady ? Readiness::kReady : Readiness::kFailed;
}

Result<Scores> Classifier::classify(const FrameView& frame, int k) {
  Shared& shared = *shared_;
  std::unique_lock lock(shared.mutex);
  if (shared.closed || shared.phase != Phase::kReady) return Error{Code::kCancelled, "stopped", ""};
  shared.job = Job{&frame, k};
  shared.changed.notify_all();
  // The worker answers every job, also when it is closed meanwhile: it may be reading the frame.
  shared.changed.wait(lock, [&] { return shared.reply.has_value(); });
  return *std::exchange(shared.reply, std::nullopt);
}

std::string Classifier::sha256() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->sha256;
}

void Classifier::set_flushing(bool flushing) {
  const std::lock_guard lock(shared_->mutex);
  shared_->flushing = flushing;
  shared_->changed.notify_all();
}

void Classifier::close() {
  shared_->cancel = true;
  const std::lock_guard lock(shared_->mutex);
  shared_->closed = true;
  shared_->changed.notify_all();
}

}  // namespace tv
