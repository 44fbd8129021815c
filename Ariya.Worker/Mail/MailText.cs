using System.Globalization;

namespace Ariya.Worker.Mail;

internal static class MailText
{
    public static string Moment(DateTimeOffset at) => at.UtcDateTime.ToString("d MMMM yyyy, HH:mm 'UTC'", CultureInfo.InvariantCulture);
}
