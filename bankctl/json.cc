#include "bankctl/json.h"

#include "absl/strings/ascii.h"
#include "common/check.h"

namespace bank::bankctl {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

template <class Number>
Json IntegerOf(const FieldDescriptor& field, Number value) {
  const std::string_view name = field.name();
  if (name == "incarnation" || name.ends_with("_unix_nanos")) return std::to_string(value);
  return value;
}

Json ValueOf(const Message& message, const FieldDescriptor& field) {
  const auto& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection.GetInt32(message, &field);
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection.GetUInt32(message, &field);
    case FieldDescriptor::CPPTYPE_INT64:
      return IntegerOf(field, reflection.GetInt64(message, &field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return IntegerOf(field, reflection.GetUInt64(message, &field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.GetBool(message, &field);
    case FieldDescriptor::CPPTYPE_ENUM:
      return WordOf(*field.enum_type(), reflection.GetEnumValue(message, &field));
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection.GetString(message, &field);
    default:
      BANK_CHECK(false) << field.full_name() << " is not one plain value";
      return nullptr;
  }
}

}  // namespace

Json Pick(const Message& message, std::initializer_list<std::string_view> keys) {
  Json json = Json::object();
  for (const std::string_view key : keys) {
    const std::string name(key.substr(key.find('=') + 1));
    const FieldDescriptor* const field = message.GetDescriptor()->FindFieldByName(name);
    BANK_CHECK(field != nullptr && !field->is_repeated())
        << message.GetTypeName() << " has no single field " << name;
    json[std::string(key.substr(0, key.find('=')))] = ValueOf(message, *field);
  }
  return json;
}

std::string LineOf(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string WordOf(const google::protobuf::EnumDescriptor& type, int number) {
  const auto* const value = type.FindValueByNumber(number);
  return value == nullptr ? std::to_string(number) : absl::AsciiStrToLower(value->name());
}

}  // namespace bank::bankctl
