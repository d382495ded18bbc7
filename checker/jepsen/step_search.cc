#include "checker/jepsen/step_search.h"

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>

#include "checker/search/mix.h"

namespace bank::checker {
namespace {

constexpr size_t kStepStatesMax = 4'000'000;
constexpr size_t kMovesMax = 4'000;

}  // namespace

StepSearch::StepSearch(std::vector<Step> steps, Wide initial, const Budget& budget)
    : steps_(std::move(steps)), budget_(budget), done_(steps_.size()), value_(initial) {
  std::sort(steps_.begin(), steps_.end(),
            [](const Step& a, const Step& b) { return a.invoke < b.invoke; });
  std::vector<std::tuple<int64_t, bool, uint32_t>> events;
  for (uint32_t i = 0; i < steps_.size(); ++i) {
    if (steps_[i].is_optional()) {
      optional_.push_back(i);
      continue;
    }
    ++left_;
    events.emplace_back(steps_[i].invoke, false, i);
    events.emplace_back(steps_[i].over, true, i);
  }
  std::sort(events.begin(), events.end());
  links_.resize(events.size() + 1);
  links_of_.resize(steps_.size());
  for (uint32_t i = 0; i < events.size(); ++i) {
    const auto [at, is_return, step] = events[i];
    links_[i + 1] = {step, is_return, i, i + 1 < events.size() ? i + 2 : 0};
    (is_return ? links_of_[step].second : links_of_[step].first) = i + 1;
  }
  links_[0].next = events.empty() ? 0 : 1;
}

// Changes the value as `step` does; false if it cannot come now.
bool StepSearch::Carry(uint32_t step) {
  const Step& s = steps_[step];
  switch (s.kind) {
    case Step::Kind::kRead:
      return value_ == s.first;
    case Step::Kind::kWrite:
      value_ = s.first;
      return true;
    case Step::Kind::kCas:
      if (value_ != s.first) return false;
      value_ = s.second;
      return true;
  }
  return false;
}

void StepSearch::Take(uint32_t step) {
  done_[step] = true;
  fingerprint_.Toggle(step);
  if (steps_[step].is_optional()) return;
  --left_;
  for (uint32_t link : {links_of_[step].first, links_of_[step].second}) {
    links_[links_[link].previous].next = links_[link].next;
    if (links_[link].next != 0) links_[links_[link].next].previous = links_[link].previous;
  }
}

void StepSearch::Back(Frame* frame) {
  while (!frame->taken.empty()) {
    const uint32_t step = frame->taken.back();
    frame->taken.pop_back();
    done_[step] = false;
    if (steps_[step].is_optional()) continue;
    ++left_;
    for (uint32_t link : {links_of_[step].second, links_of_[step].first}) {
      links_[links_[link].previous].next = link;
      if (links_[link].next != 0) links_[links_[link].next].previous = link;
    }
  }
  value_ = frame->value;
  fingerprint_ = frame->done;
}

// Chains of `free` steps that lead from the present value to `value`, then `last`.
void StepSearch::AddChains(Wide value, std::vector<uint32_t>* chain,
                           const std::vector<uint32_t>& free, uint32_t last,
                           std::vector<Move>* moves) {
  for (uint32_t i : free) {
    if (moves->size() >= kMovesMax) {
      complete_ = false;
      return;
    }
    const Step& s = steps_[i];
    const Wide gives = s.kind == Step::Kind::kCas ? s.second : s.first;
    if (gives != value || std::find(chain->begin(), chain->end(), i) != chain->end()) continue;
    const bool same = std::any_of(free.begin(), free.end(), [&](uint32_t k) {
      return k < i && steps_[k].kind == s.kind && steps_[k].first == s.first &&
             steps_[k].second == s.second &&
             std::find(chain->begin(), chain->end(), k) == chain->end();
    });
    if (same) continue;  // of equal ones, the earliest first
    chain->push_back(i);
    if (s.kind == Step::Kind::kWrite || s.first == value_) {
      Move move;
      move.steps.assign(chain->rbegin(), chain->rend());
      move.steps.push_back(last);
      moves->push_back(std::move(move));
    } else {
      AddChains(s.first, chain, free, last, moves);
    }
    chain->pop_back();
  }
}

// Ways in which steps that nothing has forced yet make the read or cas `wanted` right.
void StepSearch::AddBlocks(uint32_t wanted, int64_t until, std::vector<Move>* moves) {
  std::vector<uint32_t> free;
  for (uint32_t i : optional_) {
    if (steps_[i].invoke > until) break;
    if (!done_[i]) free.push_back(i);
  }
  std::vector<uint32_t> chain;
  AddChains(steps_[wanted].first, &chain, free, wanted, moves);
}

void StepSearch::Expand(Frame* frame) {
  frame->is_expanded = true;
  frame->value = value_;
  frame->done = fingerprint_;
  std::vector<uint32_t> candidates;
  uint32_t link = links_[0].next;
  for (; link != 0 && !links_[link].is_return; link = links_[link].next) {
    const Step& s = steps_[links_[link].step];
    if (s.is_read() && s.first == value_) {
      frame->moves = {{{links_[link].step}}};  // it is right and changes nothing
      return;
    }
    candidates.push_back(links_[link].step);
  }
  if (link == 0) return;
  const uint32_t forced = links_[link].step;
  const int64_t until = steps_[forced].over;
  std::vector<Move> blocks;
  for (uint32_t i : candidates) {
    const Step& s = steps_[i];
    const bool observes = s.is_read() || s.kind == Step::Kind::kCas;
    if (!observes || s.first == value_) {
      frame->moves.push_back({{i}});
    } else {
      AddBlocks(i, until, &blocks);
    }
  }
  std::stable_sort(blocks.begin(), blocks.end(),
                   [](const Move& a, const Move& b) { return a.steps.size() < b.steps.size(); });
  frame->moves.insert(frame->moves.end(), blocks.begin(), blocks.end());
  std::reverse(frame->moves.begin(), frame->moves.end());
}

// Whether some step saw a value that nobody can have given by then.
bool StepSearch::SawTheUnwritten() const {
  std::map<Wide, int64_t> given;  // and since when
  given[value_] = std::numeric_limits<int64_t>::min();
  for (const Step& step : steps_) {  // by invocation
    if (step.is_read()) continue;
    given.try_emplace(step.kind == Step::Kind::kCas ? step.second : step.first, step.invoke);
  }
  return std::any_of(steps_.begin(), steps_.end(), [&](const Step& step) {
    if (step.is_optional() || step.kind == Step::Kind::kWrite) return false;
    const auto found = given.find(step.first);
    return found == given.end() || found->second > step.over;
  });
}

StepSearch::Answer StepSearch::Run() {
  if (SawTheUnwritten()) return Answer::kViolation;
  std::vector<Frame> frames(1);
  uint64_t rounds = 0;
  while (left_ != 0) {
    if ((++rounds & 255) == 0 && budget_.IsOver()) return Answer::kUnknown;
    Frame& frame = frames.back();
    if (!frame.is_expanded) Expand(&frame);
    if (frame.moves.empty()) {
      frames.pop_back();
      if (frames.empty()) return complete_ ? Answer::kViolation : Answer::kUnknown;
      Back(&frames.back());
      continue;
    }
    const Move move = std::move(frame.moves.back());
    frame.moves.pop_back();
    bool fits = true;
    for (uint32_t step : move.steps) {
      fits = fits && Carry(step);
      if (!fits) break;
      Take(step);
      frame.taken.push_back(step);
    }
    Fingerprint reached = fingerprint_;
    reached.Toggle(Mix(static_cast<uint64_t>(value_) ^ Mix(static_cast<uint64_t>(value_ >> 64))));
    if (!fits || !seen_.insert(reached.pair()).second) {
      Back(&frame);
      continue;
    }
    if (seen_.size() > kStepStatesMax) return Answer::kUnknown;
    frames.emplace_back();
  }
  for (const Frame& frame : frames) {
    for (uint32_t step : frame.taken) order_.push_back(steps_[step].event);
  }
  return Answer::kExplained;
}

}  // namespace bank::checker
