using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Ariya.ServiceDefaults.Settings;

/// <summary>
/// Gathers what is wrong with the settings while a program is put together, so that it is told in one message and not one fault at each
/// start. A message names settings and never holds the value of a secret or of a connection string.
/// </summary>
public static partial class StartSettings
{
    /// <summary>Notes one fault. Told twice, it is listed once.</summary>
    public static void AddWrongSetting(this IHostApplicationBuilder builder, string fault)
    {
        var faults = FaultsOf(builder);
        if (!faults.Contains(fault))
        {
            faults.Add(fault);
        }
    }

    /// <summary>Says something about a setting that is allowed and should be seen; a warning in the log of every start.</summary>
    public static void AddSettingWarning(this IHostApplicationBuilder builder, string words) =>
        builder.Services.AddSingleton<IHostedService>(services => new Warning(words, services.GetRequiredService<ILogger<Warning>>()));

    /// <summary>Reads settings; null after a fault, which is noted.</summary>
    /// <param name="builder">The program.</param>
    /// <param name="read">Throws an <see cref="InvalidOperationException"/> whose message has one fault a line.</param>
    public static T? ReadSetting<T>(this IHostApplicationBuilder builder, Func<T?> read) where T : class
    {
        try
        {
            return read();
        }
        catch (InvalidOperationException exception)
        {
            foreach (var fault in exception.Message.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            {
                builder.AddWrongSetting(fault);
            }

            return null;
        }
    }

    /// <summary>As <see cref="ReadSetting"/>, and what was read becomes a service.</summary>
    public static void AddSetting<T>(this IHostApplicationBuilder builder, Func<T> read) where T : class
    {
        if (builder.ReadSetting(read) is { } setting)
        {
            builder.Services.AddSingleton(setting);
        }
    }

    /// <summary>
    /// Reads a class of options from its section, converts and validates each property by itself, and makes it a service. What is wrong keeps its
    /// default: the program does not start with it.
    /// </summary>
    public static T AddSettings<T>(this IHostApplicationBuilder builder, string section) where T : class, new()
    {
        var settings = new T();
        foreach (var property in typeof(T).GetProperties())
        {
            var name = $"{section}__{property.Name}";
            var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
            if (builder.Configuration[$"{section}:{property.Name}"] is { } text && (text.Length > 0 || type == typeof(string)))
            {
                if (!TryConvert(text, type, out var value))
                {
                    builder.AddWrongSetting($"{name} must be {KindOf(type)}.");
                    continue;
                }

                property.SetValue(settings, value);
            }

            var faults = new List<ValidationResult>();
            Validator.TryValidateProperty(
                property.GetValue(settings), new ValidationContext(settings) { MemberName = property.Name, DisplayName = name }, faults);
            faults.ForEach(fault => builder.AddWrongSetting(fault.ErrorMessage!.Replace("The field ", "", StringComparison.Ordinal)));
        }

        builder.Services.AddSingleton(Options.Create(settings));
        return settings;
    }

    /// <summary>To be called before the program is built.</summary>
    /// <exception cref="WrongSettingsException">Lists every fault that was noted.</exception>
    public static void ThrowIfSettingsAreWrong(this IHostApplicationBuilder builder)
    {
        if (FaultsOf(builder) is { Count: > 0 } faults)
        {
            throw new WrongSettingsException(faults);
        }
    }

    private static List<string> FaultsOf(IHostApplicationBuilder builder)
    {
        if (!builder.Properties.TryGetValue(typeof(StartSettings), out var faults))
        {
            builder.Properties[typeof(StartSettings)] = faults = new List<string>();
        }

        return (List<string>)faults;
    }

    private static bool TryConvert(string text, Type type, out object? value)
    {
        try
        {
            value = TypeDescriptor.GetConverter(type).ConvertFromString(null, CultureInfo.InvariantCulture, text);
            return true;
        }
        // What converters throw has no common base but this.
        catch (Exception)
        {
            value = null;
            return false;
        }
    }

    private static string KindOf(Type type) =>
        type == typeof(TimeSpan) ? "a duration such as 00:00:30 or 7.00:00:00"
        : type == typeof(bool) ? "true or false"
        : "a number";

    private sealed partial class Warning(string words, ILogger<Warning> logger) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken)
        {
            Tell(logger, words);
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        [LoggerMessage(1, LogLevel.Warning, "{Words}")]
        private static partial void Tell(ILogger logger, string words);
    }
}

/// <summary>The program cannot start with its settings; the message has one line for each.</summary>
public sealed class WrongSettingsException(IReadOnlyList<string> faults) : InvalidOperationException(
    $"{faults.Count} {(faults.Count == 1 ? "setting is" : "settings are")} wrong (docs/configuration.md has them all):\n- {string.Join("\n- ", faults)}");
