#include "tests/unit/checker/course/right_outputs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>

#include "fmt/format.h"

namespace bank::checker::course {
namespace {

size_t Below(Random* random, size_t end) { return (*random)() % end; }

Json BranchElement(size_t id, int64_t balance) {
  return {{"id", id}, {"type", "branch"}, {"balance", balance}};
}

// --- Projects 1 and 3

// What the events of an entry are answered, in the exercise's words.
Json Answer(const Json& event, int64_t* balance) {
  const std::string interface = event["interface"];
  Json answer = {{"interface", interface}};
  if (event.contains("branch")) answer["branch"] = event["branch"];
  if (interface == "query") {
    answer["balance"] = *balance;
    return answer;
  }
  const int64_t money = event["money"];
  const bool works = interface == "deposit" || money <= *balance;
  if (works) *balance += interface == "deposit" ? money : -money;
  answer["result"] = works ? "success" : "fail";
  return answer;
}

size_t EndOfWrites(const Json& events) {
  size_t end = events.size();
  while (end > 0 && events[end - 1]["interface"] == "query") --end;
  return end;
}

// --- Project 2

struct ClockRun {
  struct Message {
    size_t from, to;  // branches
    int64_t request, clock;
    std::string interface;
  };

  std::vector<int64_t> customer_clock, branch_clock;
  std::vector<Json> customer_events, branch_events;
  std::deque<Message> messages;

  static Json Event(int64_t request, int64_t clock, const std::string& interface,
                    const std::string& comment) {
    return {{"customer-request-id", request},
            {"logical_clock", clock},
            {"interface", interface},
            {"comment", comment}};
  }
};

}  // namespace

CourseCase BalanceCase(Random* random, script::Project project, Order order, CaseSize size) {
  CourseCase test;
  test.options.project = project;
  test.options.order = order;
  int64_t balance = 10 * static_cast<int64_t>(Below(random, 4));
  std::vector<Json> entries;
  for (size_t i = 0; i < size.entries; ++i) {
    Json events = Json::array();
    for (size_t n = 1 + Below(random, size.operations_max); n > 0; --n) {
      const size_t kind = Below(random, 3);
      Json event = {{"interface", kind == 0 ? "query" : kind == 1 ? "deposit" : "withdraw"}};
      if (kind != 0) event["money"] = 1 + Below(random, 30);
      if (project == script::Project::kClientCentric)
        event["branch"] = 1 + Below(random, size.entries);
      events.push_back(event);
    }
    entries.push_back(events);
    test.input.push_back({{"id", i + 1}, {"type", "customer"}, {"events", events}});
    test.output.push_back({{"id", i + 1}, {"recv", Json::array()}});
  }
  for (size_t i = 0; i < size.entries; ++i) test.input.push_back(BranchElement(i + 1, balance));
  std::vector<size_t> done(entries.size(), 0);
  const auto play = [&](size_t entry) {
    test.output[entry]["recv"].push_back(Answer(entries[entry][done[entry]++], &balance));
  };
  const auto end_of = [&](size_t entry) {
    return order == Order::kConverged ? EndOfWrites(entries[entry]) : entries[entry].size();
  };
  for (;;) {
    std::vector<size_t> ready;
    for (size_t i = 0; i < entries.size(); ++i) {
      if (done[i] < end_of(i)) ready.push_back(i);
    }
    if (ready.empty()) break;
    play(order == Order::kSequential ? ready.front() : ready[Below(random, ready.size())]);
  }
  for (size_t i = 0; i < entries.size(); ++i) {
    while (done[i] < entries[i].size()) play(i);
  }
  return test;
}

namespace {

// Customers with their requests; request ids count through the input.
struct RequestList {
  struct One {
    int64_t id = 0;
    std::string interface;
    int64_t money = 0;
  };
  std::vector<std::vector<One>> of;  // by customer
  static constexpr int64_t kBalance = 1000;
};

RequestList MakeRequests(Random* random, size_t branches, size_t requests_max, bool refused,
                         const char* list, const char* id, Json* input) {
  RequestList requests;
  int64_t next = 1;
  for (size_t c = 0; c < branches; ++c) {
    Json events = Json::array();
    requests.of.emplace_back();
    for (size_t n = 1 + Below(random, requests_max); n > 0; --n) {
      RequestList::One one{.id = next++, .interface = "deposit"};
      one.money = static_cast<int64_t>(1 + Below(random, 10));
      if (Below(random, 2) == 0) one.interface = "withdraw";
      if (refused && one.interface == "withdraw" && Below(random, 2) == 0) one.money = 1'000'000;
      events.push_back({{id, one.id}, {"interface", one.interface}, {"money", one.money}});
      requests.of.back().push_back(one);
    }
    input->push_back({{"id", c + 1}, {"type", "customer"}, {list, events}});
  }
  for (size_t b = 0; b < branches; ++b)
    input->push_back(BranchElement(b + 1, RequestList::kBalance));
  return requests;
}

}  // namespace

CourseCase ClockCase(Random* random, size_t branches, size_t requests_max, bool refused) {
  CourseCase test;
  test.options.project = script::Project::kLogicalClocks;
  test.options.strict = true;
  const RequestList requests =
      MakeRequests(random, branches, requests_max, refused, "customer-requests",
                   "customer-request-id", &test.input);
  ClockRun run;
  run.customer_clock.assign(branches, 0);
  run.branch_clock.assign(branches, 0);
  run.customer_events.assign(branches, Json::array());
  run.branch_events.assign(branches, Json::array());
  std::vector<size_t> sent(branches, 0);
  std::vector<std::deque<ClockRun::Message>> arriving(branches);  // from the customer, in order
  std::vector<std::deque<ClockRun::Message>> leaving(branches);   // to the peers, not yet sent
  for (;;) {
    // One of all that can happen next.
    std::vector<std::pair<int, size_t>> ready;
    for (size_t i = 0; i < branches; ++i) {
      if (sent[i] < requests.of[i].size()) ready.push_back({0, i});
      if (!arriving[i].empty()) ready.push_back({1, i});
      if (!leaving[i].empty()) ready.push_back({2, i});
    }
    for (size_t m = 0; m < run.messages.size(); ++m) ready.push_back({3, m});
    if (ready.empty()) break;
    const auto [what, i] = ready[Below(random, ready.size())];
    if (what == 0) {
      const RequestList::One& one = requests.of[i][sent[i]++];
      const int64_t clock = ++run.customer_clock[i];
      run.customer_events[i].push_back(ClockRun::Event(
          one.id, clock, one.interface, fmt::format("event_sent from customer {}", i + 1)));
      arriving[i].push_back({i, i, one.id, clock, one.interface});
    } else if (what == 1) {
      const ClockRun::Message message = arriving[i].front();
      arriving[i].pop_front();
      int64_t& clock = run.branch_clock[i];
      clock = std::max(clock, message.clock) + 1;
      run.branch_events[i].push_back(
          ClockRun::Event(message.request, clock, message.interface,
                          fmt::format("event_recv from customer {}", i + 1)));
      int64_t money = 0;
      for (const auto& one : requests.of[i]) money = one.id == message.request ? one.money : money;
      if (money > RequestList::kBalance) continue;  // a refused withdrawal
      for (size_t peer = 0; peer < branches; ++peer) {
        if (peer == i) continue;
        leaving[i].push_back({i, peer, message.request, 0, "propogate_" + message.interface});
      }
    } else if (what == 2) {
      ClockRun::Message message = leaving[i].front();
      leaving[i].pop_front();
      message.clock = ++run.branch_clock[i];
      run.branch_events[i].push_back(
          ClockRun::Event(message.request, message.clock, message.interface,
                          fmt::format("event_sent to branch {}", message.to + 1)));
      run.messages.push_back(message);
    } else {
      const ClockRun::Message message = run.messages[i];
      run.messages.erase(run.messages.begin() + static_cast<ptrdiff_t>(i));
      int64_t& clock = run.branch_clock[message.to];
      clock = std::max(clock, message.clock) + 1;
      run.branch_events[message.to].push_back(
          ClockRun::Event(message.request, clock, message.interface,
                          fmt::format("event_recv from branch {}", message.from + 1)));
    }
  }
  std::vector<Json> flat;
  const auto add = [&](const std::vector<Json>& lists, const char* type) {
    for (size_t i = 0; i < lists.size(); ++i) {
      test.output.push_back({{"id", i + 1}, {"type", type}, {"events", lists[i]}});
      for (Json event : lists[i]) {
        event["id"] = i + 1;
        event["type"] = type;
        flat.push_back(std::move(event));
      }
    }
  };
  add(run.customer_events, "customer");
  add(run.branch_events, "branch");
  std::stable_sort(flat.begin(), flat.end(), [](const Json& a, const Json& b) {
    return std::pair<int64_t, int64_t>(a["customer-request-id"], a["logical_clock"]) <
           std::pair<int64_t, int64_t>(b["customer-request-id"], b["logical_clock"]);
  });
  for (Json& event : flat) test.output.push_back(std::move(event));
  return test;
}

CourseCase BlockCase(Random* random, size_t branches, size_t requests_max, bool refused) {
  CourseCase test;
  test.options.project = script::Project::kLogicalClocks;
  test.options.strict = true;
  const RequestList requests =
      MakeRequests(random, branches, requests_max, refused, "events", "id", &test.input);
  struct Write {
    size_t home = 0;
    RequestList::One one;
    size_t step = 0;      // 0: request, 1: execute, then three for each peer, then the response
    int64_t carried = 1;  // the clock of the message under way
  };
  std::vector<std::deque<Write>> waiting(branches);  // each customer's, one after the other
  for (size_t c = 0; c < branches; ++c) {
    for (const auto& one : requests.of[c]) waiting[c].push_back({.home = c, .one = one});
  }
  std::vector<int64_t> clock(branches, 0);
  std::vector<Json> blocks(branches, Json::array());
  std::map<int64_t, std::vector<Json>> writes;
  for (;;) {
    std::vector<size_t> ready;
    for (size_t c = 0; c < branches; ++c) {
      if (!waiting[c].empty()) ready.push_back(c);
    }
    if (ready.empty()) break;
    const size_t c = ready[Below(random, ready.size())];
    Write& write = waiting[c].front();
    std::vector<size_t> peers;
    for (size_t peer = 0; peer < branches; ++peer) {
      if (peer != c && write.one.money <= RequestList::kBalance) peers.push_back(peer);
    }
    const size_t last = 2 + 3 * peers.size();
    const size_t phase = write.step < 2 ? 0 : (write.step - 2) % 3;
    std::string name = write.one.interface;
    size_t at = c;
    if (write.step == 0 || write.step == last) {
      name += write.step == 0 ? "_request" : "_response";
    } else if (write.step == 1) {
      name += "_execute";
    } else {
      const char* kNames[] = {"_propagate_request", "_propagate_execute", "_propagate_response"};
      name += kNames[phase];
      if (phase < 2) at = peers[(write.step - 2) / 3];
    }
    const bool receives = write.step != last && (write.step == 0 || (write.step > 1 && phase != 1));
    clock[at] = receives ? std::max(clock[at], write.carried) + 1 : clock[at] + 1;
    write.carried = clock[at];
    blocks[at].push_back({{"id", write.one.id}, {"name", name}, {"clock", clock[at]}});
    writes[write.one.id].push_back({{"clock", clock[at]}, {"name", name}});
    if (write.step++ == last) waiting[c].pop_front();
  }
  for (size_t b = 0; b < branches; ++b) {
    test.output.push_back({{"pid", b + 1}, {"data", blocks[b]}});
  }
  for (auto& [id, events] : writes) {
    std::stable_sort(events.begin(), events.end(), [](const Json& a, const Json& b) {
      return a["clock"].get<int64_t>() < b["clock"].get<int64_t>();
    });
    test.output.push_back({{"eventid", id}, {"data", events}});
  }
  return test;
}

Grade GradeOf(const CourseCase& test, const Json& output) {
  const absl::StatusOr<script::Script> script = script::ParseScript("in.json", test.input.dump());
  EXPECT_TRUE(script.ok()) << script.status() << test.input.dump();
  absl::StatusOr<std::vector<Json>> elements = ReadElements("out.json", output.dump());
  EXPECT_TRUE(elements.ok()) << elements.status() << output.dump();
  absl::StatusOr<Grade> grade = JudgeOutput(*script, {{"out.json", *std::move(elements)}},
                                            test.options, [] { return false; });
  EXPECT_TRUE(grade.ok()) << grade.status() << output.dump();
  return grade.ok() ? *std::move(grade) : Grade{};
}

}  // namespace bank::checker::course
