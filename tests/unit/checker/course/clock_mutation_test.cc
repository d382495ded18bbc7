// Goal: of project 2, right outputs are acquitted, also strictly, and every output with one thing
// changed is convicted, in the form since 2023 and in that of 2021. Method: branches with clocks
// and messages in random order, from a fixed seed; changes of one part alone and of all parts
// alike.
#include <gtest/gtest.h>

#include "fmt/format.h"
#include "tests/unit/checker/course/right_outputs.h"

namespace bank::checker::course {
namespace {

bool IsFlat(const Json& element) { return element.contains("logical_clock"); }

// Every place of the output where an event stands, as a list and a number.
struct Spot {
  size_t element = 0;
  size_t event = 0;
};

std::vector<Spot> SpotsOf(const Json& output, const char* list) {
  std::vector<Spot> spots;
  for (size_t e = 0; e < output.size(); ++e) {
    if (!output[e].contains(list)) continue;
    for (size_t i = 0; i < output[e][list].size(); ++i) spots.push_back({e, i});
  }
  return spots;
}

// The same event in part 3.
size_t FlatOf(const Json& output, const Json& process, const Json& event) {
  for (size_t e = 0; e < output.size(); ++e) {
    const Json& flat = output[e];
    if (IsFlat(flat) && flat["id"] == process["id"] && flat["type"] == process["type"] &&
        flat["logical_clock"] == event["logical_clock"]) {
      return e;
    }
  }
  ADD_FAILURE() << "no such event in part 3: " << event;
  return 0;
}

// Sets `key` of an event in its process' list and in part 3 alike.
void SetBoth(Json* output, Spot spot, const char* key, const Json& value) {
  Json& process = (*output)[spot.element];
  Json& event = process["events"][spot.event];
  (*output)[FlatOf(*output, process, event)][key] = value;
  event[key] = value;
}

int64_t SendClock(const Json& output, const Json& process, const Json& receive) {
  const std::string comment = receive["comment"];
  const std::string from = comment.substr(std::string("event_recv from ").size());
  const size_t space = from.find(' ');
  const bool by_customer = from.substr(0, space) == "customer";
  const int64_t id = std::stoll(from.substr(space + 1));
  for (const Json& element : output) {
    if (!element.contains("events") || element["id"] != id ||
        (element["type"] == "customer") != by_customer) {
      continue;
    }
    for (const Json& event : element["events"]) {
      const std::string sent =
          by_customer ? fmt::format("event_sent from customer {}", id)
                      : fmt::format("event_sent to branch {}", process["id"].get<int64_t>());
      if (event["comment"] == sent &&
          event["customer-request-id"] == receive["customer-request-id"]) {
        return event["logical_clock"];
      }
    }
  }
  ADD_FAILURE() << "nobody sent " << receive;
  return 0;
}

bool IsReceive(const Json& event) {
  return event["comment"].get<std::string>().starts_with("event_recv");
}

// Drops all that is propagated for a request, as if it had been refused.
void DropPropagation(Json* output, const Json& request) {
  Json kept = Json::array();
  const auto dropped = [&](const Json& event) {
    return event["customer-request-id"] == request &&
           event["interface"].get<std::string>().starts_with("propogate");
  };
  for (Json element : *output) {
    if (IsFlat(element) && dropped(element)) continue;
    if (element.contains("events")) {
      Json events = Json::array();
      for (const Json& event : element["events"]) {
        if (!dropped(event)) events.push_back(event);
      }
      element["events"] = events;
    }
    kept.push_back(element);
  }
  *output = kept;
}

// Propagates a request that was refused, with clocks that are right.
bool PropagateRefused(Json* output) {
  int64_t request = 0;
  size_t home = 0;
  std::string interface;
  std::vector<size_t> branches;
  for (size_t e = 0; e < output->size(); ++e) {
    if ((*output)[e].contains("events") && (*output)[e]["type"] == "branch") branches.push_back(e);
  }
  for (const size_t b : branches) {
    for (const Json& event : (*output)[b]["events"]) {
      if (event["interface"] != "withdraw") continue;
      bool carried = false;
      for (const Json& other : (*output)[b]["events"]) {
        carried = carried || (other["customer-request-id"] == event["customer-request-id"] &&
                              other["interface"] == "propogate_withdraw");
      }
      if (carried) continue;
      request = event["customer-request-id"];
      home = b;
    }
  }
  if (request == 0) return false;
  const auto append = [&](size_t branch, int64_t least, const std::string& comment) {
    Json& events = (*output)[branch]["events"];
    const int64_t own = events.empty() ? 0 : events.back()["logical_clock"].get<int64_t>();
    Json event = {{"customer-request-id", request},
                  {"logical_clock", std::max(own, least) + 1},
                  {"interface", "propogate_withdraw"},
                  {"comment", comment}};
    events.push_back(event);
    event["id"] = (*output)[branch]["id"];
    event["type"] = "branch";
    output->push_back(event);
    return event["logical_clock"].get<int64_t>();
  };
  for (const size_t peer : branches) {
    if (peer == home) continue;
    const int64_t sent = append(
        home, 0, fmt::format("event_sent to branch {}", (*output)[peer]["id"].get<int64_t>()));
    append(peer, sent,
           fmt::format("event_recv from branch {}", (*output)[home]["id"].get<int64_t>()));
  }
  return true;
}

// "": this output has nothing of that kind to change.
std::string Change(Random* random, Json* output) {
  const std::vector<Spot> spots = SpotsOf(*output, "events");
  const Spot spot = spots[(*random)() % spots.size()];
  Json& process = (*output)[spot.element];
  Json& events = process["events"];
  Json& event = events[spot.event];
  const int64_t clock = event["logical_clock"];
  const size_t flat = FlatOf(*output, process, event);
  switch ((*random)() % 14) {
    case 0:
      events.erase(spot.event);
      return "an event is lost from its process' list";
    case 1:
      output->erase(flat);
      return "an event is lost from part 3";
    case 2:
      output->erase(flat);
      (*output)[spot.element]["events"].erase(spot.event);
      return "an event is lost from both lists";
    case 3:
      events.insert(events.begin() + static_cast<ptrdiff_t>(spot.event), event);
      return "an event is there twice in its process' list";
    case 4:
      output->push_back(Json((*output)[flat]));
      return "an event is there twice in part 3";
    case 5:
      event["logical_clock"] = clock + 1 + static_cast<int64_t>((*random)() % 3);
      return "another clock in its process' list";
    case 6:
      (*output)[flat]["logical_clock"] = clock + 1;
      return "another clock in part 3";
    case 7:
      if (!IsReceive(event)) return "";
      SetBoth(output, spot, "logical_clock", SendClock(*output, process, event));
      return "received when it is sent";
    case 8:
      if (spot.event == 0) return "";
      SetBoth(output, spot, "logical_clock", events[spot.event - 1]["logical_clock"]);
      return "the clock stands still";
    case 9: {
      std::string comment = event["comment"];
      comment.resize(comment.rfind(' ') + 1);
      SetBoth(output, spot, "comment", comment + "99");
      return "another partner";
    }
    case 10:
      SetBoth(output, spot, "customer-request-id", 999);
      return "another request";
    case 11: {
      std::string interface = event["interface"];
      const bool deposit = interface.ends_with("deposit");
      interface.resize(interface.size() - (deposit ? 7 : 8));
      SetBoth(output, spot, "interface", interface + (deposit ? "withdraw" : "deposit"));
      return "another interface";
    }
    case 12:
      if (!event["interface"].get<std::string>().starts_with("propogate")) return "";
      DropPropagation(output, Json(event["customer-request-id"]));
      return "nothing is propagated";
    default:
      return PropagateRefused(output) ? "a refused withdrawal is propagated" : "";
  }
}

TEST(ClockMutations, RightOnesAreAcquittedAndChangedOnesConvicted) {
  Random random(20231018);
  std::map<std::string, size_t> convicted;
  for (size_t round = 0; round < 400; ++round) {
    CourseCase test = ClockCase(&random, 2 + round % 4, 3, round % 2 == 0);
    const Grade strict = GradeOf(test, test.output);
    ASSERT_EQ(strict.mark, Mark::kRight) << strict.faults[0].what << "\n" << test.output;
    ASSERT_EQ(strict.values, strict.values_right);
    test.options.strict = false;
    ASSERT_EQ(GradeOf(test, test.output).mark, Mark::kRight);
    Json changed = test.output;
    const std::string what = Change(&random, &changed);
    if (what.empty()) continue;
    const Grade grade = GradeOf(test, changed);
    ASSERT_EQ(grade.mark, Mark::kWrong) << what << "\n" << test.input << "\n" << changed;
    ASSERT_FALSE(grade.faults.empty());
    ++convicted[what];
  }
  EXPECT_EQ(convicted.size(), 14U) << "some kind of change never happened";
}

// A clock that is later than it need be is right, but not strictly.
TEST(ClockMutations, JumpsAreWrongOnlyStrictly) {
  Random random(3);
  for (size_t round = 0; round < 20; ++round) {
    CourseCase test = ClockCase(&random, 3, 2, false);
    for (Json& element : test.output) {
      if (IsFlat(element)) element["logical_clock"] = 2 * element["logical_clock"].get<int64_t>();
      if (!element.contains("events")) continue;
      for (Json& event : element["events"]) {
        event["logical_clock"] = 2 * event["logical_clock"].get<int64_t>();
      }
    }
    EXPECT_EQ(GradeOf(test, test.output).mark, Mark::kWrong);
    test.options.strict = false;
    EXPECT_EQ(GradeOf(test, test.output).mark, Mark::kRight);
  }
}

std::string ChangeBlocks(Random* random, Json* output) {
  const std::vector<Spot> spots = SpotsOf(*output, "data");
  const Spot spot = spots[(*random)() % spots.size()];
  Json& block = (*output)[spot.element];
  Json& event = block["data"][spot.event];
  const std::string name = event["name"];
  switch ((*random)() % 7) {
    case 0:
      block["data"].erase(spot.event);
      return "a sub-event is lost";
    case 1:
      block["data"].insert(block["data"].begin() + static_cast<ptrdiff_t>(spot.event), event);
      return "a sub-event is there twice";
    case 2:
      event["clock"] = event["clock"].get<int64_t>() + 1;
      return "another clock";
    case 3:
      event["name"] =
          name.starts_with("deposit") ? "withdraw" + name.substr(7) : "deposit" + name.substr(8);
      return "another interface";
    case 4:
      output->erase(spot.element);
      return "a block is lost";
    case 5:
      if (!block.contains("pid")) return "";
      event["id"] = 999;
      return "another write";
    default:
      event["name"] = name.substr(0, name.find('_')) + "_done";
      return "no such sub-event";
  }
}

TEST(BlockMutations, RightOnesAreAcquittedAndChangedOnesConvicted) {
  Random random(2021);
  std::map<std::string, size_t> convicted;
  for (size_t round = 0; round < 200; ++round) {
    CourseCase test = BlockCase(&random, 2 + round % 3, 2, round % 2 == 0);
    const Grade strict = GradeOf(test, test.output);
    ASSERT_EQ(strict.mark, Mark::kRight) << strict.faults[0].what << "\n" << test.output;
    ASSERT_EQ(strict.values, strict.values_right);
    test.options.strict = false;
    Json changed = test.output;
    const std::string what = ChangeBlocks(&random, &changed);
    if (what.empty()) continue;
    ASSERT_EQ(GradeOf(test, changed).mark, Mark::kWrong) << what << "\n" << changed;
    ++convicted[what];
  }
  EXPECT_EQ(convicted.size(), 7U) << "some kind of change never happened";
}

// The closing response is a form; without it the rest is right.
TEST(BlockMutations, TheClosingResponseMayBeMissing) {
  Random random(5);
  CourseCase test = BlockCase(&random, 3, 2, false);
  for (Json& block : test.output) {
    Json data = Json::array();
    for (const Json& event : block["data"]) {
      const std::string name = event["name"];
      if (name != "deposit_response" && name != "withdraw_response") data.push_back(event);
    }
    block["data"] = data;
  }
  test.options.strict = false;
  EXPECT_EQ(GradeOf(test, test.output).mark, Mark::kRight);
}

}  // namespace
}  // namespace bank::checker::course
