#include "tests/verdicts/disagreement.h"

#include <sys/mman.h>
#include <unistd.h>

#include <functional>

#include "checker/counter_example.h"
#include "checker/judge.h"
#include "fmt/format.h"
#include "tests/verdicts/force_judge.h"

namespace bank::verdicts {
namespace {

// A file without a name.
class MemoryFile {
 public:
  explicit MemoryFile(const std::string& text) : fd_(memfd_create("history", MFD_CLOEXEC)) {
    for (size_t at = 0; at < text.size();) {
      const ssize_t wrote = write(fd_, text.data() + at, text.size() - at);
      if (wrote <= 0) std::abort();
      at += static_cast<size_t>(wrote);
    }
  }
  ~MemoryFile() { close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const { return fmt::format("/proc/self/fd/{}", fd_); }

 private:
  int fd_;
};

absl::StatusOr<checker::Judgement> Judged(const std::string& text) {
  const MemoryFile file(text);
  checker::JudgeOptions options;
  options.histories = {file.path()};
  return checker::JudgeHistory(options);
}

std::string Word(const absl::StatusOr<checker::Judgement>& judged) {
  return judged.ok() ? std::string(checker::VerdictName(judged->verdict)) : "refused";
}

std::string Word(Truth truth) {
  return truth == Truth::kRight   ? "consistent"
         : truth == Truth::kWrong ? "inconsistent"
                                  : "undecided";
}

}  // namespace

std::string SaidOf(const std::string& text) { return Word(Judged(text)); }

std::string RightOf(const std::string& text) {
  const std::optional<Story> story = ReadStory(text);
  return story ? Word(JudgeByForce(*story)) : "refused";
}

Comparison Compare(const Story& story) {
  Comparison comparison;
  comparison.right = Word(JudgeByForce(story));
  const auto judged = Judged(TextOf(story));
  const std::string said = Word(judged);
  comparison.words = !judged.ok()                 ? judged.status().ToString()
                     : judged->violations.empty() ? said + " " + judged->undecided_because
                                                  : judged->violations[0].why;
  if (said == "inconsistent" && said == comparison.right) {
    for (const checker::Violation& violation : judged->violations) {
      const std::string alone = checker::CounterExample(violation, judged->names);
      if (SaidOf(alone) != said || RightOf(alone) == "consistent") {
        comparison.flaw = "counter-example";
        comparison.words += "\nshown:\n" + alone;
      }
    }
  }
  if (comparison.right == "undecided" || said == comparison.right) {
    return comparison;
  }
  comparison.flaw = said == "consistent" ? "missed" : said == "inconsistent" ? "false-alarm" : said;
  return comparison;
}

Story Shrink(Story story, const std::string& flaw) {
  const auto keeps = [&](const std::function<void(Story*)>& change) {
    Story less = story;
    change(&less);
    if (Compare(less).flaw != flaw) return false;
    story = std::move(less);
    return true;
  };
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (size_t i = story.events.size(); i-- > 0;) {
      smaller |= keeps([&](Story* s) { s->events.erase(s->events.begin() + std::ptrdiff_t(i)); });
    }
    for (size_t i = story.digests.size(); i-- > 0;) {
      smaller |= keeps([&](Story* s) { s->digests.erase(s->digests.begin() + std::ptrdiff_t(i)); });
    }
    for (size_t i = 0; i < story.digests.size(); ++i) {
      if (story.digests[i].accounts)
        smaller |= keeps([&](Story* s) { s->digests[i].accounts.reset(); });
      if (story.digests[i].total) smaller |= keeps([&](Story* s) { s->digests[i].total.reset(); });
    }
    for (size_t i = story.initial ? story.initial->size() : 0; i-- > 0;) {
      smaller |=
          keeps([&](Story* s) { s->initial->erase(s->initial->begin() + std::ptrdiff_t(i)); });
    }
    if (story.initial) smaller |= keeps([&](Story* s) { s->initial.reset(); });
    if (story.accounts_max) smaller |= keeps([&](Story* s) { s->accounts_max.reset(); });
    for (size_t i = 0; i < story.events.size(); ++i) {
      const Event& e = story.events[i];
      if (e.balance) smaller |= keeps([&](Story* s) { s->events[i].balance.reset(); });
      if (e.index) smaller |= keeps([&](Story* s) { s->events[i].index.reset(); });
      if (!e.consistency.empty()) {
        smaller |= keeps([&](Story* s) {
          s->events[i].consistency.clear();
          s->events[i].minimum.reset();
        });
      }
      if (e.has_key()) {
        smaller |= keeps([&](Story* s) { s->events[i].session = s->events[i].sequence = 0; });
      }
      if (e.type == "info") smaller |= keeps([&](Story* s) { s->events[i].type.clear(); });
    }
  }
  return story;
}

}  // namespace bank::verdicts
