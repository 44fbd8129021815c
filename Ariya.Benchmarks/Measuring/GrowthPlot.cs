using System.Globalization;
using System.Text;

namespace Ariya.Benchmarks.Measuring;

/// <summary>A ratio at a number of accounts.</summary>
/// <param name="Accounts">How many.</param>
/// <param name="Ratio">To the rate with the fewest.</param>
/// <param name="Target">The least that it may be.</param>
internal sealed record PlotPoint(int Accounts, Estimate Ratio, double Target);

/// <summary>One line with its intervals over a logarithmic axis, as SVG that is readable on light and dark pages.</summary>
internal static class GrowthPlot
{
    private const double Width = 560;
    private const double Height = 300;
    private const double Left = 56;
    private const double Right = 24;
    private const double Top = 40;
    private const double Bottom = 48;
    private const double Highest = 1.3;

    public static string Draw(string title, IReadOnlyList<PlotPoint> points)
    {
        var svg = new StringBuilder();
        Line($"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {Width} {Height}" font-family="sans-serif" font-size="12" role="img" aria-label="{title}">""");
        Line($"""<rect width="{Width}" height="{Height}" fill="#fff"/>""");
        Line($"""<text x="{Left}" y="24" font-size="14" fill="#222">{title}</text>""");
        for (var tick = 0.0; tick < Highest; tick += 0.25)
        {
            Line($"""<line x1="{Left}" x2="{Width - Right}" y1="{Y(tick):0.0}" y2="{Y(tick):0.0}" stroke="#ddd"/>""");
            Line($"""<text x="{Left - 8}" y="{Y(tick) + 4:0.0}" text-anchor="end" fill="#444">{tick:0.00}</text>""");
        }

        foreach (var point in points)
        {
            Line($"""<text x="{X(point):0.0}" y="{Height - Bottom + 18:0.0}" text-anchor="middle" fill="#444">{point.Accounts:N0}</text>""");
        }

        Line($"""<text x="{(Left + Width - Right) / 2:0.0}" y="{Height - 10:0.0}" text-anchor="middle" fill="#444">accounts</text>""");
        Line($"""<polyline fill="none" stroke="#b35" stroke-dasharray="5 4" points="{Path(point => point.Target)}"/>""");
        Line($"""<text x="{X(points[^1]):0.0}" y="{Y(points[^1].Target) + 16:0.0}" text-anchor="end" fill="#b35">at least</text>""");
        Line($"""<polyline fill="none" stroke="#25a" stroke-width="2" points="{Path(point => point.Ratio.Median)}"/>""");
        foreach (var point in points)
        {
            Line($"""<line x1="{X(point):0.0}" x2="{X(point):0.0}" y1="{Y(point.Ratio.Low):0.0}" y2="{Y(point.Ratio.High):0.0}" stroke="#25a"/>""");
            Line($"""<circle cx="{X(point):0.0}" cy="{Y(point.Ratio.Median):0.0}" r="4" fill="#25a"/>""");
            Line($"""<text x="{X(point):0.0}" y="{Y(point.Ratio.High) - 8:0.0}" text-anchor="middle" fill="#25a">{point.Ratio.Median:0.00}</text>""");
        }

        return svg.Append("</svg>\n").ToString();

        void Line(FormattableString line) => svg.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');

        double X(PlotPoint point)
        {
            var (first, last) = (Math.Log10(points[0].Accounts), Math.Log10(points[^1].Accounts));
            return Left + 32 + ((Width - Left - Right - 64) * (Math.Log10(point.Accounts) - first) / (last - first));
        }

        string Path(Func<PlotPoint, double> of) =>
            string.Join(' ', points.Select(point => string.Create(CultureInfo.InvariantCulture, $"{X(point):0.0},{Y(of(point)):0.0}")));
    }

    private static double Y(double ratio) => Height - Bottom - ((Height - Top - Bottom) * Math.Min(ratio, Highest) / Highest);
}
