#include "elements/tvclassify/loading.hpp"

#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <utility>

#include "elements/inference/no_thread.hpp"

namespace tv {
namespace {

using inference::SharedModel;

// How long a listener may keep the destructor waiting, before it is taken for one that waits for
// the destroying thread.
constexpr std::chrono::seconds kPatience{2};

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

/// What the thread and the others share; it lives as long as one of them. The model tells it of
/// changes, so it never is the one that owns a model that still loads.
struct Loading::Shared final : SharedModel::Watcher {
  std::mutex mutex;                 // guards what follows
  std::condition_variable changed;  // any of it changed
  bool ended_loading = false;       // then the model was there, or it failed
  bool loaded = false;
  std::shared_ptr<SharedModel> model;  // until somebody takes it
  bool model_news = false;             // the model has something to tell
  bool flushing = false;
  bool closed = false;
  bool telling = false;  // a listener is running
  bool ended = false;    // the thread has let go of everything else

  void model_changed() override {
    const std::lock_guard lock(mutex);
    model_news = true;
    changed.notify_all();
  }

  Readiness readiness() const {
    if (flushing || closed || !ended_loading) return Readiness::kInterrupted;
    return loaded ? Readiness::kReady : Readiness::kFailed;
  }

  /// True when the thread has ended; false when it is with a listener that does not come back.
  bool wait_for_end() {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [this] { return ended || telling; });
      if (ended) return true;
      if (!changed.wait_for(lock, kPatience, [this] { return !telling; })) return false;
    }
  }
};

/// Everything that the thread uses, and owns.
class Loading::Thread {
 public:
  Thread(std::shared_ptr<Shared> shared, Source source, Listener listener)
      : shared_(std::move(shared)), source_(std::move(source)), listener_(std::move(listener)) {}

  void run() {
    tell([this] { listener_.started(); });
    Result<std::shared_ptr<SharedModel>> got = caught([this] { return wait_for_model(); });
    // Cancelled by the process, too: it is exiting.
    if (is_closed() || (!got && got.error().code == Code::kCancelled)) {
      tell([this] { listener_.cancelled(); });
      got = Error{Code::kCancelled, "", ""};
    } else if (got) {
      tell([&] { listener_.loaded(**got); });
    } else {
      tell([&] { listener_.failed(got.error()); });
    }
    source_ = {};
    listener_ = {};
    std::shared_ptr<SharedModel> unwanted;  // ends with no lock held
    const std::lock_guard lock(shared_->mutex);
    shared_->ended_loading = true;
    shared_->loaded = static_cast<bool>(got);
    if (got) (shared_->closed ? unwanted : shared_->model) = std::move(*got);
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
  bool is_closed() const {
    const std::lock_guard lock(shared_->mutex);
    return shared_->closed;
  }

  Result<std::shared_ptr<SharedModel>> wait_for_model() {
    TV_ASSIGN_OR_RETURN(const std::string key, source_.key([this] { return is_closed(); }));
    if (is_closed()) return Error{Code::kCancelled, "", ""};
    TV_ASSIGN_OR_RETURN(std::shared_ptr<SharedModel> model,
                        SharedModel::acquire(key, source_.load()));
    model->watch(shared_);
    std::pair<std::uint64_t, std::uint64_t> told{0, 0};
    while (model->phase() == SharedModel::Phase::kLoading) {
      if (const auto progress = model->progress(); progress != told) {
        told = progress;
        tell([&] { listener_.progress(progress.first, progress.second); });
      }
      std::unique_lock lock(shared_->mutex);
      shared_->changed.wait(lock, [this] { return shared_->model_news || shared_->closed; });
      shared_->model_news = false;
      if (shared_->closed) return Error{Code::kCancelled, "", ""};
    }
    if (model->phase() == SharedModel::Phase::kFailed) return model->error();
    return model;
  }

  const std::shared_ptr<Shared> shared_;
  Source source_;
  Listener listener_;
};

Loading::Loading(Source source, Listener listener)
    : shared_(std::make_shared<Shared>()),
      thread_([thread = std::make_unique<Thread>(shared_, std::move(source), std::move(listener))] {
        thread->run();
      }) {}

Result<std::unique_ptr<Loading>> Loading::begin(Source source, Listener listener) {
  try {
    return std::make_unique<Loading>(std::move(source), std::move(listener));
  } catch (const std::system_error& error) {
    return inference::no_thread("that loads them", error);
  }
}

Loading::~Loading() {
  close();
  const bool from_listener = thread_.get_id() == std::this_thread::get_id();
  if (!from_listener && shared_->wait_for_end())
    thread_.join();
  else
    thread_.detach();
  std::shared_ptr<SharedModel> model;  // its end, too, is with no lock held
  const std::lock_guard lock(shared_->mutex);
  model = std::move(shared_->model);
}

Loading::Readiness Loading::wait_ready() {
  std::unique_lock lock(shared_->mutex);
  shared_->changed.wait(
      lock, [&] { return shared_->ended_loading || shared_->flushing || shared_->closed; });
  return shared_->readiness();
}

Loading::Readiness Loading::readiness() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->readiness();
}

std::shared_ptr<SharedModel> Loading::take_model() {
  const std::lock_guard lock(shared_->mutex);
  return std::move(shared_->model);
}

bool Loading::has_ended() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->ended;
}

void Loading::set_flushing(bool flushing) {
  const std::lock_guard lock(shared_->mutex);
  shared_->flushing = flushing;
  shared_->changed.notify_all();
}

void Loading::close() {
  const std::lock_guard lock(shared_->mutex);
  shared_->closed = true;
  shared_->changed.notify_all();
}

}  // namespace tv
