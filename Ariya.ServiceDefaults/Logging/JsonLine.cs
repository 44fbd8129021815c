using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ariya.ServiceDefaults.Logging;

/// <summary>
/// A record as one line of JSON. Scopes are not in it: those of the web host hold the path as it was sent. docs/logs.md names the members.
/// </summary>
internal static class JsonLine
{
    private const int LongestMessage = 4 * 1024;
    private const int LongestField = 2 * 1024;
    private const int LongestException = 16 * 1024;
    private const int MostFields = 24;

    private static readonly JsonWriterOptions s_options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    public static byte[] Of<TState>(in LogEntry<TState> entry)
    {
        var (level, category, id) = (entry.LogLevel, entry.Category, entry.EventId);
        var (state, exception, message) = (entry.State, entry.Exception, entry.Formatter(entry.State, entry.Exception));
        return Write(level, category, json =>
        {
            if (id.Id != 0)
            {
                json.WriteNumber("eventId", id.Id);
            }

            if (id.Name is { } name)
            {
                json.WriteString("event", name);
            }

            json.WriteString("message", Cut(message, LongestMessage));
            if (Activity.Current is { } activity)
            {
                json.WriteString("traceId", activity.TraceId.ToHexString());
                json.WriteString("spanId", activity.SpanId.ToHexString());
            }

            if (state is IReadOnlyList<KeyValuePair<string, object?>> fields)
            {
                WriteFields(json, fields);
            }

            if (exception is not null)
            {
                json.WriteString("exception", Cut(exception.ToString(), LongestException));
            }
        });
    }

    public static byte[] OfRequest(in RequestLine line)
    {
        var request = line;
        return Write(LogLevel.Information, RequestLine.Category, json =>
        {
            json.WriteString("method", request.Method);
            if (request.Route is not null)
            {
                json.WriteString("route", request.Route);
            }

            json.WriteNumber("status", request.Status);
            json.WriteNumber("ms", Math.Round(request.Milliseconds, 1));
            json.WriteNumber("bytes", request.Bytes);
            json.WriteString("traceId", request.TraceId);
            if (request.Network is not null)
            {
                json.WriteString("network", request.Network);
            }

            if (request.Code is not null)
            {
                json.WriteString("code", request.Code);
            }

            if (request.IsAborted)
            {
                json.WriteBoolean("aborted", true);
            }
        });
    }

    public static byte[] OfDropped(long count) => Write(LogLevel.Warning, LogTroubles.Category, json =>
    {
        json.WriteNumber("eventId", LogTroubles.DroppedEvent);
        json.WriteString("event", "Dropped");
        json.WriteString("message", LogTroubles.DroppedMessage(count));
        json.WriteStartObject("fields");
        json.WriteNumber("Count", count);
        json.WriteEndObject();
    });

    private static byte[] Write(LogLevel level, string category, Action<Utf8JsonWriter> members)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer, s_options))
        {
            json.WriteStartObject();
            json.WriteString("time", TimeProvider.System.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
            json.WriteString("level", NameOf(level));
            json.WriteString("category", category);
            members(json);
            json.WriteEndObject();
        }

        buffer.Write("\n"u8);
        return buffer.WrittenSpan.ToArray();
    }

    private static void WriteFields(Utf8JsonWriter json, IReadOnlyList<KeyValuePair<string, object?>> fields)
    {
        var isOpen = false;
        for (var i = 0; i < Math.Min(fields.Count, MostFields); i++)
        {
            var (name, value) = fields[i];
            if (name == "{OriginalFormat}")
            {
                continue;
            }

            if (!isOpen)
            {
                isOpen = true;
                json.WriteStartObject("fields");
            }

            json.WritePropertyName(name);
            WriteValue(json, value);
        }

        if (isOpen)
        {
            json.WriteEndObject();
        }
    }

    private static void WriteValue(Utf8JsonWriter json, object? value)
    {
        switch (value)
        {
            case null:
                json.WriteNullValue();
                break;
            case bool truth:
                json.WriteBooleanValue(truth);
                break;
            case int or long or short or byte:
                json.WriteNumberValue(Convert.ToInt64(value, CultureInfo.InvariantCulture));
                break;
            case double number when double.IsFinite(number):
                json.WriteNumberValue(number);
                break;
            default:
                json.WriteStringValue(Cut(Convert.ToString(value, CultureInfo.InvariantCulture) ?? "", LongestField));
                break;
        }
    }

    private static string Cut(string text, int length) => text.Length <= length ? text : $"{text[..length]}…";

    private static string NameOf(LogLevel level) => level switch
    {
        LogLevel.Trace => "trace",
        LogLevel.Debug => "debug",
        LogLevel.Information => "information",
        LogLevel.Warning => "warning",
        LogLevel.Error => "error",
        _ => "critical",
    };
}
